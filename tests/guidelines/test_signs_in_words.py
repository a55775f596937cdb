"""The signs of a deficiency as problem lists write them without a code: by their kind, in the
languages that are read, and what only looks like one."""

from __future__ import annotations

from collections.abc import Iterator

from builders import (
    BREAST_FED,
    ICD10CM,
    SNOMED,
    a_lab,
    a_level,
    a_problem,
    a_record,
    breast_feeding,
    see,
)
from each import each

from cds_service.clinical import Code

NEUROLOGICAL = {
    "English": """
        Regression of milestones; Neuroregression; Jitteriness; Not sitting any more since 2
        weeks; Lost head control; No longer babbling; Psychomotor retardation; Global
        developmental delay; Delayed milestones; Truncal hypotonia; Axial hypotonia; Decreased
        muscle tone; Tremors of hands; Infantile tremor syndrome; Stopped smiling; Unable to sit;
        Development delayed; Developmental milestones lost; Delay in motor development; Regression
        of speech and motor skills; Poor head control; Gross motor delay; Salaam spasms;
        Hypsarrhythmia; Seizure disorder; Afebrile seizures; Focal seizures; Obtunded; Listless
        baby; Shaking episodes; Developmental stagnation; Arrested development; Loss of previously
        acquired milestones; Lost ability to sit; Has stopped babbling and smiling; No social
        smile; Not responding to name; Delayed motor milestones; Neurodevelopmental delay; Motor
        regression; Neurological regression; Developmental decline; Cognitive delay; Muscle
        hypotonia; Generalised hypotonia; Central hypotonia; Head lag; Weakness; All-over
        weakness; Excessive sleepiness; Sleepy baby; Unusual movements; Twitching; Myoclonic
        jerks; Choreoathetoid movements; Tremulousness; Involuntary tongue movements; ITS
        (infantile tremor syndrome); Altered sensorium; Delayed development; GDD with hypotonia;
        Intermittent head nodding; Hypotonia and regression; Cannot hold head; Does not hold head;
        Loss of head control; Lost eye contact; Poor visual tracking; Clusters of spasms; Absence
        seizures; Status epilepticus; Fits
    """,
    "Spanish": """
        Regresión psicomotora; Retraso psicomotor; Pérdida de hitos; Espasmos infantiles;
        Regresión del neurodesarrollo; Retraso del desarrollo psicomotor; Retraso madurativo;
        Pérdida de habilidades adquiridas; Ya no se sienta; Dejó de sonreír; Temblores; Hipotonía
        generalizada; Hipotonía; Letárgico; Síndrome de West; Crisis convulsivas; Retroceso
        psicomotor; Pérdida del sostén cefálico; No sostiene la cabeza; Hipotonía muscular;
        Regresión de hitos; Involución del desarrollo; Pérdida de adquisiciones; Estancamiento
        psicomotor; Retraso global del desarrollo; Retraso del neurodesarrollo; Convulsión;
        Convulsiones afebriles; Mioclonías; Movimientos coreicos; Somnolencia; Debilidad muscular;
        Letargo; Irritabilidad y temblor; Trastorno del desarrollo psicomotor; Dejó de sentarse;
        Pérdida de la marcha; No fija la mirada; Crisis epilépticas; Encefalopatía; Hipoactividad
    """,
    "French": """
        Spasmes infantiles; Perte des acquis; Hypotonie; Hypotonie axiale; Trémulations; Retard de
        développement psychomoteur; Retard psychomoteur; Retard des acquisitions; Perte des acquis
        moteurs; Régression du développement; Ne tient plus assis; Ne tient plus sa tête;
        Tremblements; Convulsions; Crises épileptiques; Syndrome de West; Encéphalopathie;
        Somnolence; Retard global de développement; Régression neurologique; Régression motrice;
        Mouvements anormaux; Nourrisson hypotonique; Retard du développement moteur; Retard
        moteur; Régression psychomotrice; Arrêt du développement; Stagnation psychomotrice;
        Stagnation du développement; Hypotonie globale; Retard global; Retard des acquisitions
        psychomotrices; Myoclonies; Mouvements choréiques; Convulsion apyrétique; Tremblement;
        Nourrisson léthargique; Perte de la station assise; Perte du contact visuel; Perte de la
        poursuite oculaire; Absence de contact; Apathie; Trouble du développement; Trouble
        neurologique; Crise convulsive; Encéphalopathie épileptique; Épilepsie
    """,
    "German": """
        Muskuläre Hypotonie; Hypotonie; Muskelhypotonie; Verlust erworbener Fähigkeiten; Zittern;
        Entwicklungsverzögerung; Entwicklungsverzoegerung; Entwicklungsretardierung;
        Psychomotorische Retardierung; Statomotorischer Entwicklungsrückstand; Rumpfhypotonie;
        Sitzt nicht mehr; Kann nicht mehr sitzen; Dreht sich nicht mehr; BNS-Epilepsie;
        BNS-Krämpfe; Krampfanfälle; Krampfanfaelle; V.a. zerebralen Krampfanfall; Meilensteine
        verloren; Rückschritt in der Entwicklung; Verlust von Meilensteinen; Fehlende
        Kopfkontrolle; Schlaffer Säugling; Floppy infant; Tremor; Apathie; Verminderter
        Muskeltonus; Muskeltonus vermindert; Motorische Entwicklungsstörung; Verzögerte
        Entwicklung; Motorische Retardierung; Epileptische Anfälle; Psychomotorische Regression;
        Motorischer Entwicklungsrückstand; Entwicklungsstillstand; Regression der Entwicklung;
        Psychomotorischer Abbau; Verlust motorischer Fertigkeiten; Entwicklungsrückschritte;
        Statomotorische Retardierung; Globale Entwicklungsstörung; Muskelschlaffheit; Schlappheit;
        Floppy-Infant-Syndrom; Blitz-Nick-Salaam-Anfälle; Infantile Spasmen; West-Syndrom; Tremor
        der Hände; Unwillkürliche Bewegungen; Myoklonien; Choreatische Bewegungen; Somnolenz;
        Vigilanzminderung; Schläfrigkeit; Bewusstseinstrübung; Bewegungsarmut; Neurologische
        Auffälligkeiten; Krampfanfall; Zerebraler Anfall; Anfallsleiden; Epileptischer Anfall;
        Lächelt nicht mehr; Kopfkontrolle verloren; Lethargisch; Verlust der Kopfkontrolle
    """,
    "Italian": """
        Crisi convulsive; Ritardo psicomotorio; Ritardo dello sviluppo; Ritardo di sviluppo
        psicomotorio; Regressione delle tappe di sviluppo; Perdita di competenze acquisite;
        Ipotonia; Tremori; Spasmi infantili; Letargia; Non sta più seduto; Scarso controllo del
        capo; Regressione motoria; Regressione psicomotoria; Arresto dello sviluppo psicomotorio;
        Ipotonia muscolare; Ipotonia assiale; Tremore; Mioclonie; Convulsioni; Crisi epilettiche;
        Ritardo dello sviluppo psicomotorio; Perdita delle tappe motorie; Sonnolenza; Apatia;
        Encefalopatia; Movimenti involontari; Ritardo motorio; Iporeattività
    """,
    "Portuguese": """
        Atraso do desenvolvimento neuropsicomotor; Regressão do desenvolvimento; Perda de marcos
        do desenvolvimento; Espasmos infantis; Hipotonia; Tremores; Convulsão; Letargia; Não
        sustenta a cabeça; Parou de sorrir; Crises convulsivas; Regressão neurológica; Regressão
        psicomotora; Atraso psicomotor; Atraso do desenvolvimento; Hipotonia axial; Perda de
        aquisições; Tremor; Sonolência; Mioclonias; Perda de habilidades; Convulsões afebris;
        Encefalopatia; Prostração
    """,
    "Dutch": """
        Ontwikkelingsachterstand; Verlies van vaardigheden; Ontwikkelingsregressie; Hypotonie;
        Infantiele spasmen; Trillerigheid; Stuipen; Sufheid; Zit niet meer; Psychomotore
        retardatie; Epileptisch insult; Motorische achterstand; Vertraagde ontwikkeling;
        Psychomotore regressie; Regressie van ontwikkeling; Spierhypotonie; Lage spierspanning;
        Slapte; Epileptische aanvallen; Convulsies; Tremoren; Lethargie; Salaamkrampen; Verlies
        van motorische vaardigheden; Apathisch; Hoofd valt achterover bij optrekken tot zit, voelt
        slap aan; Voelt slap aan; Hoofd zakt naar voren
    """,
}
SUGGESTIVE = {
    "English": """
        Not gaining weight; Growth faltering; Severe acute malnutrition; SAM with oedema,
        marasmus; Weight faltering; Static weight; Dropping centiles; Crossing centile lines
        downwards; Weight loss; Failing to thrive; Macrocytic anaemia; Pancytopenia; Microcephaly;
        Glossitis; Faltering weight; Poor growth; Inadequate weight gain; Slow weight gain;
        Underweight; Weight plateau; Poor weight velocity; Failure to gain weight; Poor weight
        gain; Weight not increasing; FTT; Faltering growth; Growth failure; Undernutrition;
        Moderate acute malnutrition; Protein energy malnutrition; Severely underweight; Wasting;
        Marasmus; Weight below 3rd centile; Fall in weight centiles; Weight crossing centiles;
        Acquired microcephaly; Head circumference falling; Knuckle hyperpigmentation;
        Hyperpigmentation of knuckles; Macrocytosis; Megaloblastic anaemia; Macrocytic anemia;
        Bicytopenia; Smooth tongue; Weight stagnant; Loss of weight; Poor growth velocity
    """,
    "Spanish": """
        Estancamiento ponderal; Retraso ponderoestatural; Fallo de medro; Escasa ganancia
        ponderal; Pobre ganancia de peso; No gana peso; Desnutrición; Malnutrición; Curva ponderal
        estancada; Retraso pondoestatural; Anemia macrocítica; Pancitopenia; Microcefalia; Mal
        incremento ponderal; Retraso de crecimiento; Falla de medro; Fallo del crecimiento;
        Retraso del crecimiento; Detención del crecimiento; Pérdida de peso; Poca ganancia
        ponderal; Ganancia ponderal insuficiente; Curva de peso plana; Desnutrición aguda severa;
        Bajo peso; Macrocitosis; Anemia megaloblástica; Escaso incremento de peso
    """,
    "French": """
        Stagnation pondérale; Ralentissement de la prise de poids; Cassure de la courbe pondérale;
        Retard staturo-pondéral; Mauvaise prise de poids; Prise de poids insuffisante;
        Infléchissement de la courbe de croissance; Perte de poids; Dénutrition; Retard de
        croissance; Anémie macrocytaire; Microcéphalie; Cassure staturo-pondérale; Ne prend pas de
        poids; Anémie mégaloblastique; Pancytopénie; Glossite; Retard pondéral; Retard de
        croissance staturo-pondérale; Mauvaise croissance; Fléchissement pondéral; Infléchissement
        pondéral; Cassure pondérale; Cassure de la courbe de poids; Stagnation du poids; Faible
        prise de poids; Malnutrition aiguë sévère; Amaigrissement; Prise pondérale insuffisante;
        Macrocytose; Périmètre crânien en cassure
    """,
    "German": """
        Mangelnde Gewichtszunahme; Gewichtsstagnation; Dystrophie; Dystropher Säugling;
        Gedeihstörung; Gedeihstoerung; Schlechte Gewichtszunahme; Gewichtsstillstand;
        Untergewicht; Nimmt nicht zu; Perzentilenknick; Keine Gewichtszunahme; Gewichtsabnahme;
        Perzentilenabfall; Abfall der Gewichtsperzentile; Makrozytäre Anämie; Mikrozephalie;
        Panzytopenie; Unzureichendes Gedeihen; Wachstumsverzögerung; Stagnierendes Gewicht;
        Mangelernährung; Mangelndes Gedeihen; Schlechtes Gedeihen; Gewichtsabfall; Unzureichende
        Gewichtszunahme; Ungenügende Gewichtszunahme; Fehlende Gewichtszunahme; Unterernährung;
        Malnutrition; Wachstumsstillstand; Sekundäre Mikrozephalie; Makrozytose; Megaloblastäre
        Anämie; Bizytopenie; Gewicht unter 3. Perzentile; Gewicht stagniert; Trinkschwäche und
        Gedeihstörung; Kind nimmt nicht zu; Perzentilenschneidend; Minderwuchs
    """,
    "Italian": """
        Scarsa crescita ponderale; Scarso accrescimento; Scarso incremento ponderale; Arresto
        della crescita; Rallentamento della crescita; Calo ponderale; Malnutrizione; Ritardo di
        crescita; Anemia macrocitica; Microcefalia; Deflessione della curva di crescita; Scarso
        aumento di peso; Scarso accrescimento ponderale; Arresto ponderale; Arresto di crescita;
        Ritardo di accrescimento; Difetto di crescita; Perdita di peso; Mancato accrescimento;
        Deficit di accrescimento; Calo di peso; Macrocitosi; Anemia megaloblastica; Curva di
        crescita piatta
    """,
    "Portuguese": """
        Baixo ganho ponderal; Ganho de peso insuficiente; Déficit ponderal; Desnutrição; Atraso de
        crescimento; Anemia macrocítica; Má progressão ponderal; Estagnação ponderal; Perda de
        peso; Restrição de crescimento; Ganho ponderal insuficiente; Má evolução ponderal;
        Dificuldade em ganhar peso; Baixo peso; Atraso estaturo-ponderal; Macrocitose; Anemia
        megaloblástica; Não ganha peso; Desnutrição grave
    """,
    "Dutch": """
        Groeivertraging; Groeiachterstand; Onvoldoende gewichtstoename; Slechte groei;
        Ondervoeding; Macrocytaire anemie; Gewichtsverlies; Afbuigende groeicurve; Slechte
        gewichtstoename; Achterblijvende groei; Gewichtsafname; Onvoldoende groei; Komt niet aan;
        Macrocytose; Megaloblastaire anemie; Groeistagnatie; Slecht groeien; Failure to thrive
    """,
}
NONE = {
    "Denied": """
        No regression of milestones; Kein Krampfanfall; Sans hypotonie; Pas de régression
        psychomotrice; Sin convulsiones; Senza ipotonia; Sem convulsões; Geen tremor; Keine
        Entwicklungsverzögerung; No developmental delay; Development: no delay; Keine Gedeihstörung;
        Pas de perte de poids; No weight loss; No failure to thrive; Sin pérdida de peso; Senza calo
        ponderale; Sem perda de peso; Geen gewichtsverlies; Geen ontwikkelingsachterstand; Free of
        seizures
    """,
    "Ruled out, over or past": """
        Seizures ruled out; Entwicklungsverzögerung ausgeschlossen; Developmental delay resolved;
        Hipotonía resuelta; Hypotonie résolue; Ipotonia risolta; Tremor abgeklungen; Pregresse
        convulsioni; Antécédents de convulsions; Risk of seizures
    """,
    "Of someone else": """
        Family history of epilepsy; Mutter Epilepsie; Frère épileptique; Hermano con epilepsia;
        Bruder mit Epilepsie; Geschwister: Entwicklungsverzögerung
    """,
    "Of a fever": """
        Febrile seizures; Zittern bei Fieber
    """,
    "Something else of the same words": """
        Arterielle Hypotonie; Arterial hypotension; Orthostatische Hypotonie; Hypotonie artérielle;
        Hypotonic dehydration; Uterine hypotonia; Muskeldystrophie Duchenne; Dystrophie musculaire;
        Retinale Dystrophie; Corneal dystrophy; Low birth weight; Bajo peso al nacer; Baixo peso ao
        nascer; Intrauterine growth restriction; Retard de croissance intra-utérin; Retraso del
        crecimiento intrauterino; Physiologischer Gewichtsverlust; Auditory neuropathy; Spastische
        Bronchitis; Bauchkrämpfe; Vaccination delayed; Delayed cord clamping; Retard vaccinal;
        Regression of haemangioma; Lost to follow-up; Loss of hearing; Blood culture: no bacterial
        growth
    """,
    "No sign": """
        Development normal; Normal growth and weight gain; Good weight gain; Late preterm infant
        with normal development; Growth and weight: no concerns; Weight check; Slow feeder;
        Shivering; Breath-holding spells; Affektkrämpfe; Eczema; Bronchiolitis; Otitis media;
        Hüftdysplasie; Plagiocephaly; Reflux; Neonatal hypoglycaemia
    """,
}


def entries(table: dict[str, str]) -> Iterator[str]:
    for row in table.values():
        yield from " ".join(row.split()).split("; ")


@each("text", entries(NEUROLOGICAL))
def test_a_neurological_sign_in_words_is_no_silence_and_no_treatment_by_mouth(text: str) -> None:
    problem = a_problem(None, text=text)
    unmeasured = see(a_record(problems=[problem], measured=()))
    assert "SIGN-01" in unmeasured.rules
    assert unmeasured.indicator == "warning"
    deficient = see(a_record(problems=[problem]))
    assert "RTE-05b" in deficient.rules
    assert deficient.doses == {"DOSE-D": False}


@each("text", entries(SUGGESTIVE))
def test_a_suggestive_sign_in_words_asks_for_a_level(text: str) -> None:
    problem = a_problem(None, text=text)
    unmeasured = see(a_record(problems=[problem], measured=()))
    assert "SIGN-05" in unmeasured.rules
    assert not unmeasured.silent
    fed = a_record(problems=[problem], measured=(breast_feeding(BREAST_FED),))
    assert see(fed).indicator == "warning"


@each("text", entries(NONE))
def test_what_only_has_the_words_of_a_sign_is_none(text: str) -> None:
    problem = a_problem(None, text=text)
    assert see(a_record(problems=[problem], measured=())).silent
    assert "RTE-05b" not in see(a_record(problems=[problem])).rules


@each(
    ("words", "is_sign"),
    [("lost two of milestones", True), ("lost one two three milestones", True),
     ("lost one two three four milestones", False)],
)  # fmt: skip
def test_the_two_words_of_a_sign_are_near_each_other(words: str, is_sign: bool) -> None:
    seen = see(a_record(problems=[a_problem(None, text=words)], measured=()))
    assert ("SIGN-01" in seen.rules) is is_sign


def test_a_sign_next_to_what_is_none_stays_one() -> None:
    for text in (
        "Arterielle Hypotonie und Zittern",
        "Low birth weight, not gaining weight",
        "Hypotonic dehydration with seizures",
        "No tremor. Regression of milestones",
    ):
        assert not see(a_record(problems=[a_problem(None, text=text)], measured=())).silent


# --- what is not understood -----------------------------------------------------------------------

#: What an infant often has, and says nothing of a deficiency.
UNRELATED = {
    "English": """
        Common cold; Atopic eczema, mild; Otitis media, right; Acute bronchiolitis; No eczema
        Acute upper respiratory infection, unspecified; Neonatal jaundice; Umbilical hernia
        Cow's milk protein allergy
        Acute viral pharyngitis (disorder); Well child visit; Low birth weight
        Family history of epilepsy; No seizures; No known problems; Innocent heart murmur
    """,
    "German": """
        Schnupfen; Atopische Dermatitis; Akute Otitis media; Infekt der oberen Atemwege
        Neugeborenenikterus; Hüftdysplasie bds.; Kuhmilchproteinallergie; Z. n. Bronchiolitis
    """,
    "French": "Rhinopharyngite; Otite moyenne aiguë; Érythème fessier; Reflux gastro-œsophagien",
    "Spanish": "Bronquiolitis; Dermatitis atópica; Cólico del lactante; Reflujo gastroesofágico",
    "Italian": "Bronchiolite acuta; Dermatite atopica; Ernia ombelicale",
    "Portuguese": "Bronquiolite; Otite média aguda; Refluxo",
    "Dutch": "Eczeem; Verkoudheid; Navelbreuk",
}
#: What may be anything, also next to something unrelated.
OPEN = {
    "English": """
        Stares at the ceiling; Atypical episodes; Chronic disease; Congenital disorder; Pallor
        Chronic diarrhoea; Eczema and odd movements; Bronchiolitis, quieter than usual; Poor feeding
        Gastroschisis; Mitochondrial disease
    """,
    "German": "Trinkschwäche; Blass; Z. n. Darm-OP; Stoffwechselstörung",
    "French": "Trouble du comportement; Maladie rare",
    "Spanish": "Enfermedad metabólica",
    "Japanese": "\u4e0d\u660e",
}


def listed(table: dict[str, str]) -> Iterator[str]:
    for row in table.values():
        yield from "; ".join(filter(None, map(str.strip, row.splitlines()))).split("; ")


@each("text", listed(UNRELATED))
def test_what_is_unrelated_leaves_the_treatment_by_mouth_recommended(text: str) -> None:
    assert see(a_record(problems=[a_problem(None, text=text)])).doses == {"DOSE-A": True}


@each("text", listed(OPEN))
def test_next_to_a_problem_that_is_not_understood_nothing_by_mouth_is_preselected(
    text: str,
) -> None:
    seen = see(a_record(problems=[a_problem(None, text=text)]))
    assert seen.shows("RTE-07.unread")
    assert seen.doses == {"DOSE-A": False}
    anemic = see(a_record(a_lab("hemoglobin", 8), problems=[a_problem(None, text=text)]))
    assert not any(anemic.doses.values())
    assert anemic.says(f'First look at "{text}"')


def test_a_code_on_no_list_is_not_understood_unless_its_name_is_unrelated_or_its_chapter() -> None:
    for code, recommended in (
        (Code(SNOMED, "1", "Unheard-of disorder"), False),
        (Code("urn:site", "X1", ""), False),
        (Code(ICD10CM, "Q99.9", ""), False),
        (Code(SNOMED, "82272006", "Common cold (disorder)"), True),
        (Code(ICD10CM, "J20.9", "Acute bronchitis, unspecified"), True),
        (Code(ICD10CM, "L20.9", ""), True),
    ):
        seen = see(a_record(problems=[code]))
        assert seen.doses == {"DOSE-A": recommended}, code
        assert "RTE-07" in seen.rules


def test_what_is_not_understood_and_over_holds_nothing_back() -> None:
    for status, recommended in (("active", False), ("resolved", True), ("inactive", True)):
        problem = a_problem(None, text="Atypical episodes", clinical_status=status)
        assert see(a_record(problems=[problem])).doses == {"DOSE-A": recommended}


def test_what_is_not_understood_leaves_an_injection_recommended_and_asks_for_no_level() -> None:
    problem = a_problem(None, text="Atypical episodes")
    assert see(a_record(level=a_level(80), problems=[problem])).doses == {"DOSE-E": True}
    assert see(a_record(problems=[problem], measured=())).silent
