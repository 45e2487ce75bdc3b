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
_MOST, _ODD = 0.75, 0.25  # of a word's letters beyond ASCII; of a text's words that look odd
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
    """
    words = dict.fromkeys(found.groups() for found in _CHUNK.finditer(text))
    odd = [word for word, behind in words if _is_odd(word, behind)]
    if odd and len(odd) >= _ODD * len(words):
        return max(odd, key=len)
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
