"""Languages of the translators: names, scripts, and words that give a language away."""

from __future__ import annotations

import re
import unicodedata

NAMES = {
    "ar": "Arabic",
    "ca": "Catalan",
    "de": "German",
    "en": "English",
    "es": "Spanish",
    "fr": "French",
    "it": "Italian",
    "ja": "Japanese",
    "ko": "Korean",
    "nl": "Dutch",
    "pl": "Polish",
    "pt": "Portuguese",
    "ru": "Russian",
    "th": "Thai",
    "tr": "Turkish",
    "vi": "Vietnamese",
    "zh": "Chinese",
}

REGIONAL_NAMES = {
    "pt-br": "Brazilian Portuguese",
    "pt-pt": "European Portuguese",
    "es-419": "Latin American Spanish",
    "es-mx": "Mexican Spanish",
    "es-es": "European Spanish",
    "en-gb": "British English",
    "zh-tw": "Traditional Chinese",
    "zh-cn": "Simplified Chinese",
    "fr-ca": "Canadian French",
}

SCRIPTS = {
    "ar": ("ARABIC",),
    "ja": ("HIRAGANA", "KATAKANA", "CJK"),
    "ko": ("HANGUL",),
    "ru": ("CYRILLIC",),
    "th": ("THAI",),
    "zh": ("CJK",),
}
"""Scripts of languages that are not written in Latin letters, by Unicode's names."""

_FUNCTION_WORDS = {
    "ca": "el els la les un una i de del que és amb per però més no ho em et us som són aquest "
    "aquesta molt també on quan si jo tu nosaltres perquè al als hem ha he està pot fer",
    "de": "der die das und ist nicht ein eine einen ich du er sie es wir ihr zu mit auf für von "
    "dem den im sich auch wie war hat haben sind aber wenn dass nur noch werden kann bei oder "
    "ihnen ihre bitte was hier",
    "en": "the a an and is are was were not of to in that this it you he she we they i my your "
    "for with on at be have has do does will would can what there if but from by or as please "
    "who his her our their been which so about when",
    "es": "el la los las un una y de del que es está en con por para no se lo su al más pero como "
    "si usted ha le me te mi esto este esta muy son hay fue ya cuando qué o tu nos yo ser tiene "
    "puede sus era",
    "fr": "le la les un une et de du des que est en avec pour pas ne se ce il elle je vous nous "
    "au aux plus mais dans sur qui par son sa ses votre vos mon ma cette c'est êtes sont ont été "
    "si à ou leur très être d'un qu'il",
    "it": "il lo la gli le un una e di del della che è in con per non si ma come più al alla da "
    "sono ha ho mi ti ci questo questa molto anche se io lei suo sua nel nella dei delle o "
    "essere quando i cosa c'è",
    "nl": "de het een en is van niet dat ik je zijn op te met voor die er maar we hij ze wat aan "
    "om ook als naar bij nog wel dit heb heeft kan u",
    "pl": "i w nie na się z do to jest że co jak za ale po o od tak czy dla ja ty on ona my są "
    "był ten ta tego może już tylko",
    "pt": "o a os as um uma e de do da dos das que é em no na com por para não se mas como mais "
    "ao à está você ele ela eu nós isso este esta muito são foi tem seu sua ou já quando pelo "
    "pela também ser nos nas te lhe meu minha",
    "tr": "ve bir bu da de için ne mi mı ben sen o biz siz değil var yok çok ile ama gibi daha "
    "en kadar olarak",
    "vi": "là của và có không được một cho tôi bạn anh em này đó với các những người trong đã "
    "sẽ cũng như khi",
}

FUNCTION_WORDS = {k: frozenset(v.split()) for k, v in _FUNCTION_WORDS.items()}

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")


def name_of(tag: str) -> str | None:
    """A language's English name, as prompts call it; None where it is unknown."""
    tag = tag.replace("_", "-").lower()
    return REGIONAL_NAMES.get(tag) or NAMES.get(tag.split("-", 1)[0])


def words_of(text: str) -> list[str]:
    """The words of a text in lower case, without digits and marks."""
    return [word.lower().replace("’", "'") for word in _WORD.findall(text)]


def function_word_hits(text: str, language: str) -> int:
    """How many of the words are ones that the language cannot do without."""
    known = FUNCTION_WORDS.get(language, frozenset())
    return sum(word in known for word in words_of(text))


def scripts_of(text: str) -> dict[str, int]:
    """How many letters there are of each script, by the first word of their Unicode names."""
    counts: dict[str, int] = {}
    for character in text:
        if not character.isalpha():
            continue
        script = unicodedata.name(character, "UNKNOWN").split(" ", 1)[0].split("-", 1)[0]
        counts[script] = counts.get(script, 0) + 1
    return counts
