"""Which names a reader takes for one another."""

import unicodedata

from modelkeep.domain.access import person

# Small letters that are drawn like one of the basic Latin ones (Unicode's confusables, the usual
# ones): of Cyrillic, Greek, Armenian, Coptic, and of Latin itself.
_DRAWN = (
    ("авгԁеһіјкӏмнопрԛѕстуѵԝх", "abrdehijklmhonpqsctyvwx"),
    ("αβγεηικνορτυχωμϳ", "abyenikvoptuxwuj"),
    ("օսոհցզաքյ", "ounhgqwpj"),
    ("ⲟⲣⲥⲭⲕ", "opcxk"),
    ("ıɡɑʟɩᴏ", "igalio"),
)
_ALIKE = str.maketrans(
    {
        letter: drawn
        for letters, drawns in _DRAWN
        for letter, drawn in zip(letters, drawns, strict=True)
    }
    | {"0": "o", "1": "l", "-": None, "_": None}
)


def skeleton(name: str) -> str:
    """What is left of a name for who reads it in passing: names that have it in common look alike.

    Case, accents, hyphens and underscores are gone, and letters are those that they are drawn like.
    """
    bare = (
        c for c in unicodedata.normalize("NFKD", person(name)) if unicodedata.category(c) != "Mn"
    )
    return "".join(bare).translate(_ALIKE).replace("i", "l").replace("rn", "m")
