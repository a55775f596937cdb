import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.parser.IParser;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import kotlin.Pair;
import kotlin.Unit;
import org.cqframework.cql.cql2elm.CqlTranslator;
import org.cqframework.cql.cql2elm.LibraryManager;
import org.cqframework.cql.cql2elm.ModelManager;
import org.cqframework.cql.cql2elm.StringLibrarySourceProvider;
import org.hl7.fhir.r4.model.Resource;
import org.opencds.cqf.cql.engine.data.CompositeDataProvider;
import org.opencds.cqf.cql.engine.data.DataProvider;
import org.opencds.cqf.cql.engine.execution.CqlEngine;
import org.opencds.cqf.cql.engine.execution.Environment;
import org.opencds.cqf.cql.engine.execution.EvaluationParams;
import org.opencds.cqf.cql.engine.execution.EvaluationResult;
import org.opencds.cqf.cql.engine.fhir.model.R4FhirModelResolver;
import org.opencds.cqf.cql.engine.retrieve.RetrieveProvider;
import org.opencds.cqf.cql.engine.runtime.Date;
import org.opencds.cqf.cql.engine.runtime.Tuple;

/**
 * CQL by the reference translator and the Java engine. The argument is a folder of *.cql, each of
 * which is translated to ELM beside it (*.json). Reads a JSON object a line: a library, names of its
 * expressions, parameters, and perhaps the resources of a chart, the patient first. Writes for each a
 * JSON object of their values.
 */
public class Cql {

  private static final ObjectMapper JSON = new ObjectMapper();

  public static void main(String[] arguments) throws Exception {
    Path folder = Path.of(arguments[0]);
    Map<Path, String> sources = new LinkedHashMap<>();
    try (DirectoryStream<Path> files = Files.newDirectoryStream(folder, "*.cql")) {
      for (Path file : files) {
        sources.put(file, Files.readString(file));
      }
    }
    LibraryManager libraries = new LibraryManager(new ModelManager());
    libraries
        .getLibrarySourceLoader()
        .registerProvider(new StringLibrarySourceProvider(new ArrayList<>(sources.values())));
    for (Map.Entry<Path, String> source : sources.entrySet()) {
      CqlTranslator translated = CqlTranslator.fromText(source.getValue(), libraries);
      if (!translated.getErrors().isEmpty()) {
        StringBuilder told = new StringBuilder(source.getKey() + ":");
        translated
            .getErrors()
            .forEach(
                one ->
                    told.append("\n")
                        .append(one.getLocator() == null ? "" : one.getLocator().toLocator())
                        .append(" ")
                        .append(one.getMessage()));
        throw new IllegalStateException(told.toString());
      }
      String name = source.getKey().getFileName().toString().replaceFirst("cql$", "json");
      Files.writeString(folder.resolve(name), translated.toJson());
    }
    List<Resource> chart = new ArrayList<>();
    Environment environment = new Environment(libraries, Map.of(FHIR, over(chart)), null);
    IParser parser = FhirContext.forR4Cached().newJsonParser();
    PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
    BufferedReader in =
        new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    String line;
    while ((line = in.readLine()) != null) {
      JsonNode asked = JSON.readTree(line);
      chart.clear();
      asked.path("chart").forEach(one -> chart.add((Resource) parser.parseResource(one.toString())));
      // An engine keeps the parameters of what it evaluated before: a new one for each case.
      CqlEngine engine =
          new CqlEngine(environment, Set.of(CqlEngine.Options.EnableExpressionCaching));
      out.println(JSON.writeValueAsString(answer(engine, asked, chart)));
    }
  }

  private static final String FHIR = "http://hl7.org/fhir";

  /** The resources of a chart, whatever code or date is asked for: the libraries ask for none. */
  private static DataProvider over(List<Resource> chart) {
    RetrieveProvider resources =
        (context, path, id, type, template, codePath, codes, set, date, low, high, range) ->
            new ArrayList<Object>(
                chart.stream().filter(one -> one.fhirType().equals(type)).toList());
    return new CompositeDataProvider(
        new R4FhirModelResolver(FhirContext.forR4Cached()), resources);
  }

  private static ObjectNode answer(CqlEngine engine, JsonNode asked, List<Resource> chart) {
    List<String> expressions = new ArrayList<>();
    asked.get("expressions").forEach(one -> expressions.add(one.asText()));
    EvaluationParams.Builder params = new EvaluationParams.Builder();
    params.library(
        asked.get("library").asText(),
        of -> {
          of.expressions(expressions);
          return Unit.INSTANCE;
        });
    params.setParameters(values(asked.get("parameters")));
    if (!chart.isEmpty()) {
      String id = chart.get(0).getIdElement().getIdPart();
      params.setContextParameter(new Pair<>("Patient", id));
    }
    EvaluationResult told = engine.evaluate(params.build()).getOnlyResultOrThrow();
    ObjectNode answer = JSON.createObjectNode();
    for (String expression : expressions) {
      answer.set(expression, written(told.get(expression).getValue()));
    }
    return answer;
  }

  private static Map<String, Object> values(JsonNode given) {
    Map<String, Object> values = new LinkedHashMap<>();
    given.fields().forEachRemaining(one -> values.put(one.getKey(), value(one.getValue())));
    return values;
  }

  /** A value of CQL; a decimal comes as an object with its digits. */
  private static Object value(JsonNode given) {
    if (given.isObject() && given.has("decimal")) {
      return new BigDecimal(given.get("decimal").asText());
    }
    if (given.isObject() && given.has("date")) {
      return new Date(given.get("date").asText());
    }
    if (given.isObject()) {
      return new Tuple().withElements(values(given));
    }
    if (given.isArray()) {
      List<Object> list = new ArrayList<>();
      given.forEach(one -> list.add(value(one)));
      return list;
    }
    if (given.isBoolean()) {
      return given.asBoolean();
    }
    if (given.isInt()) {
      return given.asInt();
    }
    return given.isNull() ? null : given.asText();
  }

  private static JsonNode written(Object value) {
    if (value instanceof Iterable<?> list) {
      ArrayNode array = JSON.createArrayNode();
      list.forEach(one -> array.add(written(one)));
      return array;
    }
    if (value instanceof Tuple tuple) {
      ObjectNode object = JSON.createObjectNode();
      tuple.getElements().forEach((name, one) -> object.set(name, written(one)));
      return object;
    }
    return JSON.valueToTree(value);
  }
}
