"""Whether bytes that are no UTF-8 can be Windows-1252: by what its words then look like."""

import re
import unicodedata

_CHUNK = re.compile(
    r"([A-Za-z\x80-\x9f\xa1-\uffff]*[\x80-\x9f\xa1-\uffff][A-Za-z\x80-\x9f\xa1-\uffff]*)"
    r"([@\[\\\]^_`{|}~]?)"
)
"""A run of letters and signs that holds one beyond ASCII, and what of ASCII's signs is behind it,
which may be the second byte of a character of East Asia."""
_JOINING = frozenset("’‘´·–—…•“”«»‹›©®™×\xad")  # which may stand between two letters
_APART = frozenset("ƒˆ˜¤¦¬¯¸¨¢‰¶÷")  # which never touch one
_OPENING = frozenset("¿¡„‚")  # which never come behind one
_UMLAUTS = frozenset("äöüßÄÖÜ")
_ESCAPES = frozenset("\\@^`{")  # which are behind no quote or dash
_SHIFTED = re.compile("[A-Z][ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖØÙÚÛÜÝÞŠŽŒŸ][a-z]|Ÿ[a-z]|[a-z]Ÿ|^[¹²³][a-z]")
_EASTERN = re.compile(
    "|".join(
        (
            "[eáíúýšž]è|aè(?!r)|è[aáeíjkoóúùýšž]|[èìòù].*[áíúý]|[áíúý].*[èìòù]",
            "[èìòù]{2}|ì[a-oq-zà-ÿ]",
            "[a-z]¾|[ai]æ$|[šž].*[èìòùøæðñïãâêîçþ]|[èìòùøæðñïãâêîçþ].*[šž]",
            "õ$|[áíóúû].*õ|õ.*[áéíóúû]|[jyv]û|û[bdkv]",
            "^ð|ðý|[üàâãçèêëìîïñòôùû].*[ðþ]|[ðþ].*[üàâãçèêëìîïñòôùû]",
            "þ$|þ[b-df-hk-np-qstz]|[iü]þ(?![jrv])|[cyz]ý|ý[czþ]",
            "[kj]â|â[jk]|î[bgjkv]|[dgjtvz]ç|çj",
        )
    )
)
"""Letters beside each other, or in one word, as Western languages do not have them, and as words of
Windows-1250 (Czech, Slovak, Slovene, Croatian, Hungarian), -1254 (Turkish) and -1257 (Latvian,
Lithuanian) look in Windows-1252.
"""
_LONG = 60  # letters of a word that are looked at, as patterns go through it from each of them
_MOST = 0.75  # of a word's letters beyond ASCII
_ODD, _RARE = 0.25, 0.1  # of a text's words that look odd; that Western languages hardly have
_KANJI = range(0x81, 0xA0)  # first bytes of Shift-JIS that are no letters of Windows-1252


def odd_word(content: bytes, text: str) -> str:
    """A word of a text that no Western language has, if it looks like one of another encoding;
    else nothing.

    Args:
        content: the text's bytes. text: what they are in Windows-1252.

    >>> [odd_word(word.encode("cp1252"), word) for word in ("Hündin", "été", "“l’œil” – 5 °C ©")]
    ['', '', '']
    >>> [odd_word(one, one.decode("cp1252")) for one in ("кошка".encode("cp1251"), b"H\\x9fndin")]
    ['êîøêà', 'HŸndin']
    >>> odd_word("kůň".encode("cp1250"), "kùò")
    'kùò'
    """
    words = dict.fromkeys(found.groups() for found in _CHUNK.finditer(text))
    odd = [word for word, behind in words if _is_odd(word, behind)]
    eastern = [word for word, _ in words if _EASTERN.search(word[:_LONG].lower())]
    for found, share in ((odd, _ODD), (eastern, _RARE)):
        if found and len(found) >= share * len(words):
            return max(found, key=len)
    return next((word for word, _ in words), "") if _is_japanese(content) else ""


def _is_odd(word: str, behind: str) -> bool:
    """Whether a run of letters and signs is none of a Western text."""
    letters = [_is_letter(sign) for sign in word]
    if not any(letters):
        plain = _JOINING.issuperset(word)
        return behind in _ESCAPES if plain and behind else not plain and len(word + behind) > 1
    high = sum(not sign.isascii() for sign, one in zip(word, letters, strict=True) if one)
    if high > 1 and high > _MOST * sum(letters) and not _UMLAUTS.issuperset(word):
        return True
    if _SHIFTED.search(word):
        return True
    around = zip([False, *letters], word, letters, [*letters[1:], False], strict=False)
    return any(
        (before and after and not letter and sign not in _JOINING)
        or (before and sign in _OPENING)
        or ((before or after) and sign in _APART)
        for before, sign, letter, after in around
    )


def _is_letter(sign: str) -> bool:
    return unicodedata.category(sign) in ("Lu", "Ll") and sign not in "ƒµ"


def _is_japanese(content: bytes) -> bool:
    """Whether bytes are Shift-JIS with words of Japanese alone: none has a letter of ASCII at its
    side, as accents of Western words have.
    """
    try:
        text = content.decode("cp932")
    except UnicodeDecodeError:
        return False
    if re.search(r"[A-Za-z][^\x00-\x7f]|[^\x00-\x7f][A-Za-z]|[\uff61-\uff9f\ue000-\uf8ff]", text):
        return False
    firsts = [sign.encode("cp932")[0] for sign in text if not sign.isascii()]
    return bool(firsts) and 2 * sum(one in _KANJI for one in firsts) > len(firsts)
