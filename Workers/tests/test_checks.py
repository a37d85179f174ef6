"""What passes for a translation, and what does not."""

import pytest

from dubmill_worker.translation.checks import clean, faults
from dubmill_worker.translation.prompt import messages, stands_alone

GOOD = [
    ("en", "es", "Good morning, how are you?", "Buenos días, ¿cómo está usted?"),
    ("en", "es", "No.", "No."),
    ("en", "es", "OK", "OK"),
    ("en", "es", "Yes!", "¡Sí!"),
    ("en", "es", "42", "42"),
    ("en", "es", "Taxi!", "¡Taxi!"),
    ("en", "es", "No, no, no, no!", "¡No, no, no, no!"),
    ("en", "es", "Marie Curie", "Marie Curie"),
    (
        "en",
        "es",
        "Press 1 for sales, press 2 for support.",
        "Marque 1 para ventas, 2 para soporte.",
    ),
    ("en", "fr", "It's a restaurant in the centre.", "C'est un restaurant dans le centre."),
    ("en", "fr", "I am sorry, but I cannot come.", "Je suis désolé, mais je ne peux pas venir."),
    ("en", "de", "The house is old.", "Das Haus ist alt."),
    ("en", "it", "Where is the station?", "Dov'è la stazione?"),
    ("en", "ru", "Where is the station?", "Где находится вокзал?"),
    ("en", "ru", "Call John Smith.", "Позвоните Джону Смиту."),
    ("en", "ja", "Where is the station?", "駅はどこですか。"),
    ("en", "zh", "Thank you very much.", "非常感谢。"),
    ("es", "pt", "La casa es muy grande.", "A casa é muito grande."),
    ("es", "pt", "Tengo una casa.", "Tenho uma casa."),
    ("fr", "es", "Le train part à sept heures.", "El tren sale a las siete."),
    (
        "es",
        "en",
        "La casa es muy grande y no tiene jardín.",
        "The house is very big, with no garden.",
    ),
    ("en", "es", "He said “hello” to her.", "Él le dijo “hola”."),
]

BAD = [
    ("en", "es", "Good morning.", "", "empty"),
    ("en", "es", "Good morning.", "...", "empty"),
    ("en", "es", "Where is the old station?", "Where is the old station?", "not translated"),
    ("en", "es", "The train is at the station.", "The train is in the station now.", "still in en"),
    ("en", "es", "Hi.", "Buenos días y bienvenidos a esta casa tan grande y bonita.", "too long"),
    ("en", "es", "We will leave the house tomorrow at seven.", "Mañana.", "too short"),
    ("en", "es", "It goes on.", "y sigue y sigue y sigue y sigue", "repeats"),
    ("en", "es", "Where is it?", "¿Dónde está 它?", "cjk"),
    ("en", "ru", "Where is the station?", "Gde nakhoditsya vokzal?", "cyrillic"),
    ("en", "ja", "Where is the station?", "Eki wa doko desu ka", "hiragana"),
    ("en", "es", "Who are you?", "Soy un modelo de lenguaje.", "answer"),
    ("en", "es", "How old is she?", "Lo siento, pero no puedo traducir.", "answer"),
    ("en", "fr", "Where are you from?", "Voici la traduction: d'où ?", "answer"),
    (
        "en",
        "es",
        "The weather is very nice today in the city.",
        "Il fait très beau dans la ville et il y a des gens",
        "looks like fr",
    ),
]


@pytest.mark.parametrize(("source", "target", "text", "answer"), GOOD, ids=[g[3] for g in GOOD])
def test_good_lines_pass(source: str, target: str, text: str, answer: str) -> None:
    assert faults(text, clean(answer, text), source, target) == []


@pytest.mark.parametrize(
    ("source", "target", "text", "answer", "fault"), BAD, ids=[b[3] or "nothing" for b in BAD]
)
def test_bad_lines_are_named(source: str, target: str, text: str, answer: str, fault: str) -> None:
    found = faults(text, clean(answer, text), source, target)
    assert any(fault in each for each in found), found


@pytest.mark.parametrize(
    ("answer", "text", "wanted"),
    [
        ("Translation: Hola.", "Hello.", "Hola."),
        ("Traducción al texto", "Text translation", "Traducción al texto"),
        ("Spanish: Hola.", "Hello.", "Hola."),
        ('"Hola."', "Hello.", "Hola."),
        ("«Hola.»", "Hello.", "Hola."),
        ('"Hola", dijo, "amigo"', '"Hello", he said', '"Hola", dijo, "amigo"'),
        ('"Hola"', '"Hello"', '"Hola"'),
        ("Hola.\n\nNote: formal.", "Hello.", "Hola."),
        ("Hola. (Note: formal)", "Hello.", "Hola."),
        ("¡Bienvenido a casa.", "Welcome home.", "Bienvenido a casa."),
        ("¡Hola! ¿Qué tal?", "Hi! How are you?", "¡Hola! ¿Qué tal?"),
        ("  Hola   amigo ", "Hello friend", "Hola amigo"),
        ("Nota: mañana", "Translation: tomorrow", "Nota: mañana"),
    ],
)
def test_wrapping_is_taken_off(answer: str, text: str, wanted: str) -> None:
    assert clean(answer, text) == wanted


def test_the_prompt_begins_the_same_for_all_lines_of_a_pair() -> None:
    first = messages("A whole sentence is here.", "en", "es")
    second = messages("Another sentence is here.", "en", "es", before=["The one before."])
    assert first[0] == second[0]
    assert second[-1]["content"] == "Another sentence is here."


def test_fragments_see_their_neighbours() -> None:
    chat = messages("and then the door", "en", "es", before=["He ran,"], after=["fell shut."])
    assert "He ran, … fell shut." in chat[1]["content"]
    assert chat[-1]["content"] == "and then the door"
    again = messages("and then the door", "en", "es", before=["He ran,"], rejected=["too long"])
    assert "He ran," not in again[1]["content"]


def test_the_second_question_says_what_was_wrong() -> None:
    chat = messages("Where is it?", "en", "es", rejected=["is the source, not translated"])
    assert "is the source, not translated" in chat[1]["content"]


def test_the_register_is_in_the_prompt() -> None:
    assert "formal" in messages("Hi.", "en", "es")[0]["content"]
    assert "informal" in messages("Hi.", "en", "es", "informal")[0]["content"]
    assert "formal" not in messages("Hi.", "en", "es", "neutral")[0]["content"]


def test_what_stands_alone() -> None:
    assert stands_alone("The train leaves at seven.", ["It is late."])
    assert not stands_alone("The train leaves at seven.", ["It is late, but"])
    assert not stands_alone("leaves at seven in the morning.", [])
    assert not stands_alone("Give it to her.".replace("her.", "him"), [])
    assert not stands_alone("She did.", [])
