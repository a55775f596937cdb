import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.context.support.DefaultProfileValidationSupport;
import ca.uhn.fhir.validation.FhirValidator;
import ca.uhn.fhir.validation.SingleValidationMessage;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import org.hl7.fhir.common.hapi.validation.support.CommonCodeSystemsTerminologyService;
import org.hl7.fhir.common.hapi.validation.support.InMemoryTerminologyServerValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.ValidationSupportChain;
import org.hl7.fhir.common.hapi.validation.validator.FhirInstanceValidator;

/**
 * HL7's validator over the R4 definitions, nothing fetched. Reads a JSON resource a line; writes for
 * each message a line of the resource's number, severity, place and text, parted by tabs.
 */
public class Validator {

  public static void main(String[] arguments) throws Exception {
    FhirContext r4 = FhirContext.forR4();
    FhirInstanceValidator rules =
        new FhirInstanceValidator(
            new ValidationSupportChain(
                new DefaultProfileValidationSupport(r4),
                new InMemoryTerminologyServerValidationSupport(r4),
                new CommonCodeSystemsTerminologyService(r4)));
    FhirValidator validator = r4.newValidator().registerValidatorModule(rules);
    PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
    BufferedReader in =
        new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    String resource;
    for (int number = 0; (resource = in.readLine()) != null; number++) {
      for (SingleValidationMessage message : validator.validateWithResult(resource).getMessages()) {
        out.printf(
            "%d\t%s\t%s\t%s%n",
            number,
            message.getSeverity().getCode(),
            message.getLocationString(),
            message.getMessage().replaceAll("\\s+", " "));
      }
    }
  }
}
