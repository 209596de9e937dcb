"""From bytes to text: the encoding by its marks, else by the units and words that only the right one shows."""

import re

from nblib.measured.files.formats import Refusal

BYTE_ORDER_MARKS = (
    (b"\xff\xfe\0\0", "utf-32"),
    (b"\0\0\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
ENCODINGS = (
    *("cp1252", "cp1251", "cp932", "gb18030", "euc_kr", "euc_jp", "big5", "mac_roman", "koi8_r", "cp866"),
    *("iso8859_5", "mac_cyrillic", "cp437", "cp850", "cp1253", "iso8859_7"),
)
# what headings hold; the encoding that shows most of it is taken, the first of equals
TELLING = re.compile(
    r"√\s*\(?\s*[kM]?Hz|√\s*[кМ]?Гц|(?<![а-яёА-ЯЁ])[кКмМГ]?Г[цЦ]|дБ|[Чч]астот|[Мм]ощност|[Нн]апряж|[Сс]пектр|[Шш]ум|[Вв]ремя|[Уу]ровень"
    r"|[Аа]мплитуд"
    r"|周波数|频率|頻率|频谱|功率|噪声|噪聲|密度|时间|時間|电压|電圧|赫|振幅|幅[值度]|진폭|ヘルツ|ノイズ|パワー|レベル|주파수|시간|전압|잡음|[Σσ]υχν|[Χχ]ρόν"
    r"|(?<=[A-Za-z)])²|(?<![^\W\d_])[µμ](?=[VAPsT])|fréq|größe|Ω(?![a-zа-я])"
)


def decoded(content: bytes) -> str:
    """Text in UTF-8, UTF-16, UTF-32 (with or without a byte-order mark), else in the most telling of `ENCODINGS`.

    It ends at a DOS Ctrl-Z.

    Raises
    ------
    Refusal when the bytes are not text
    """
    for mark, encoding in BYTE_ORDER_MARKS:
        if content.startswith(mark):
            return _clean(content.decode(encoding, errors="replace"))
    start = content[:4096]
    odd, even = start[1::2].count(0), start[0::2].count(0)
    half = max(1, len(start) // 2)
    if odd > 0.7 * half and even < 0.1 * half:
        return _clean(content.decode("utf-16-le", errors="replace"))
    if even > 0.7 * half and odd < 0.1 * half:
        return _clean(content.decode("utf-16-be", errors="replace"))
    try:
        return _clean(content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        return _clean(content.decode(_most_telling(content[:20000]), errors="replace"))


def _most_telling(content):
    """The first of the encodings under which most telling words appear."""
    counts = [len(TELLING.findall(content.decode(encoding, errors="ignore"))) for encoding in ENCODINGS]
    return ENCODINGS[counts.index(max(counts))]


def _clean(text: str) -> str:
    strange = len(re.findall(r"[\x00-\x08\x0e-\x19\x1b-\x1f]", text[:20000].rstrip("\0")))
    if strange > 0.005 * min(len(text), 20000):
        raise Refusal("it is not text; save it as CSV, .npz or .npy")
    return text.removeprefix("\ufeff").split("\x1a")[0].rstrip("\0")
