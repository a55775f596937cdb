import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.parser.IParser;
import ca.uhn.fhir.repository.IRepository;
import ca.uhn.fhir.rest.client.api.ServerValidationModeEnum;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import org.hl7.fhir.instance.model.api.IBaseResource;
import org.hl7.fhir.r4.model.Bundle;
import org.hl7.fhir.r4.model.CanonicalType;
import org.hl7.fhir.r4.model.CarePlan;
import org.hl7.fhir.r4.model.DateType;
import org.hl7.fhir.r4.model.Parameters;
import org.hl7.fhir.r4.model.Patient;
import org.hl7.fhir.r4.model.RequestGroup;
import org.hl7.fhir.r4.model.RequestGroup.RequestGroupActionComponent;
import org.hl7.fhir.r4.model.Resource;
import org.opencds.cqf.fhir.cr.plandefinition.PlanDefinitionProcessor;
import org.opencds.cqf.fhir.utility.monad.Eithers;
import org.opencds.cqf.fhir.utility.repository.InMemoryFhirRepository;
import org.opencds.cqf.fhir.utility.repository.RestRepository;

/**
 * PlanDefinition/$apply of cqf-fhir-cr. The argument is a folder of artefacts, or the address of a
 * FHIR server that has them and what is known of the patient. Reads a JSON object a line: the
 * canonical address of a plan, a patient, and the day as which to apply. Writes for each an array of
 * the titles of the actions that apply, innermost: prefixes are lost on the way.
 */
public class Apply {

  private static final ObjectMapper JSON = new ObjectMapper();

  public static void main(String[] arguments) throws Exception {
    FhirContext r4 = FhirContext.forR4Cached();
    IParser parser = r4.newJsonParser();
    IRepository repository =
        arguments[0].startsWith("http") ? onServer(r4, arguments[0]) : inMemory(r4, arguments[0]);
    PlanDefinitionProcessor processor = new PlanDefinitionProcessor(repository);
    PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
    BufferedReader in =
        new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    String line;
    while ((line = in.readLine()) != null) {
      JsonNode asked = JSON.readTree(line);
      Patient patient = parser.parseResource(Patient.class, asked.get("patient").toString());
      Parameters given = new Parameters();
      given.addParameter("today", new DateType(asked.get("today").asText()));
      repository.update(patient);
      IBaseResource applied =
          processor.apply(
              Eithers.forLeft3(new CanonicalType(asked.get("plan").asText())),
              "Patient/" + patient.getIdElement().getIdPart(),
              null, null, null, null, null, null, null, null,
              given, true, null, null,
              (IBaseResource) null, (IBaseResource) null, (IBaseResource) null);
      ArrayNode told = JSON.createArrayNode();
      for (Resource contained : ((CarePlan) applied).getContained()) {
        if (contained instanceof RequestGroup group) {
          group.getAction().forEach(action -> tell(action, told));
        }
      }
      out.println(JSON.writeValueAsString(told));
    }
  }

  private static IRepository inMemory(FhirContext r4, String folder) throws Exception {
    Bundle artefacts = new Bundle();
    try (DirectoryStream<Path> files = Files.newDirectoryStream(Path.of(folder), "*.json")) {
      for (Path file : files) {
        String content = Files.readString(file);
        artefacts.addEntry().setResource((Resource) r4.newJsonParser().parseResource(content));
      }
    }
    return new InMemoryFhirRepository(r4, artefacts);
  }

  private static IRepository onServer(FhirContext r4, String base) {
    r4.getRestfulClientFactory().setServerValidationMode(ServerValidationModeEnum.NEVER);
    r4.getRestfulClientFactory().setSocketTimeout(120_000);
    return new RestRepository(r4.newRestfulGenericClient(base));
  }

  private static void tell(RequestGroupActionComponent action, ArrayNode told) {
    if (action == null) {
      return; // one that does not apply
    }
    if (action.hasAction()) {
      action.getAction().forEach(inner -> tell(inner, told));
    } else {
      told.add(action.getTitle());
    }
  }
}
