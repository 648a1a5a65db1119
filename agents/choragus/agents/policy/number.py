"""Numbers that carry a checksum: payment cards, IBANs and national identity numbers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from .span import Span

_RUN = re.compile(r"(?<![0-9A-Za-z.,_+-])[0-9]++(?:[ -][0-9]++)*+(?![0-9A-Za-z_])")
_GROUP = re.compile(r"[0-9]++")
_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]){11,30}+")
_LENGTHS = {
    length: frozenset(countries.split())
    for length, countries in {
        15: "NO",
        16: "BE BI",
        18: "DK FI FK FO GL NL SD",
        19: "MK SI",
        20: "AT BA EE KZ LT LU XK MN",
        21: "CH HR LI LV",
        22: "BG BH CR DE GB GE IE ME RS VA",
        23: "AE GI IL IQ OM TL SO",
        24: "AD CZ ES MD PK RO SA SE SK TN VG DZ",
        25: "LY PT ST",
        26: "IS TR",
        27: "BF CF FR GR IT MC MR SM CG DJ",
        28: "AL AZ BY CY DO GT HU LB PL SV BJ NI CM CI MZ",
        29: "BR EG PS QA UA",
        30: "JO KW MU YE",
        31: "MT SC",
        32: "LC",
        33: "RU",
    }.items()
}
_LENGTH = {country: length for length, countries in _LENGTHS.items() for country in countries}


def numbers(text: str, start: int = 0) -> Iterator[Span]:
    """Cards, IBANs and national numbers whose checksum holds."""
    yield from cards(text, start)
    yield from ibans(text, start)
    for pattern, holds in _NATIONAL:
        for one in pattern.finditer(text, start):
            if holds(one[0]):
                yield Span(*one.span(), "national-id")


def cards(text: str, start: int = 0) -> Iterator[Span]:
    """Card numbers of 13 to 19 digits, in groups or not: an issuer's prefix and length, and Luhn's checksum."""
    for run in _RUN.finditer(text, start):
        groups = [one.span() for one in _GROUP.finditer(text, *run.span())]
        for first, (begin, _) in enumerate(groups):
            digits = ""
            for from_, to in groups[first : first + 6]:
                digits += text[from_:to]
                if len(digits) > 19:
                    break
                if _is_card(digits):
                    yield Span(begin, to, "card")


def ibans(text: str, start: int = 0) -> Iterator[Span]:
    """IBANs of a known country and its length, whose remainder by 97 is 1."""
    for one in _IBAN.finditer(text, start):
        length = _LENGTH.get(one[0][:2], 0)
        plain, end = "", one.start()
        while end < one.end() and len(plain) < length:
            plain += text[end].strip()
            end += 1
        is_whole = len(plain) == length and not text[end : end + 1].isalnum()
        if is_whole and int("".join(str(int(each, 36)) for each in plain[4:] + plain[:4])) % 97 == 1:
            yield Span(one.start(), end, "iban")


def luhn(digits: str) -> bool:
    """Luhn's checksum.

    >>> luhn("4111111111111111"), luhn("4111111111111112")
    (True, False)
    """
    doubled = (int(one) * 2 for one in digits[-2::-2])
    return (sum(int(one) for one in digits[::-2]) + sum(one - 9 * (one > 9) for one in doubled)) % 10 == 0


def verhoeff(text: str) -> bool:
    """Verhoeff's checksum, by the dihedral group of order ten; spaces do not count.

    >>> verhoeff("2363"), verhoeff("2364")
    (True, False)
    """
    order = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)
    check = 0
    for index, one in enumerate(reversed(text.replace(" ", ""))):
        place = int(one)
        for _ in range(index % 8):
            place = order[place]
        check = _dihedral(check, place)
    return check == 0


def _is_card(digits: str) -> bool:
    head, size = digits[:4], len(digits)
    if size < 13:
        return False
    two = int(head[:2])
    fits = (
        (head[0] == "4" and size in (13, 16, 19))
        or ((51 <= two <= 55 or 2221 <= int(head) <= 2720) and size == 16)
        or (two in (34, 37) and size == 15)
        or ((two in (36, 38, 39) or 300 <= int(head[:3]) <= 305) and size == 14)
        or ((head == "6011" or two in (62, 64, 65) or 3528 <= int(head) <= 3589) and size >= 16)
    )
    return fits and luhn(digits) and len(set(digits)) > 1


def _weighted(digits: str, *weights: int) -> int:
    return sum(int(one) * weight for one, weight in zip(digits, weights, strict=False))


def _is_date(month: str, day: str) -> bool:
    return 1 <= int(month) <= 12 and 1 <= int(day) <= 31


def _us(text: str) -> bool:
    area, group, serial = text.split("-")
    return area not in ("000", "666") and area < "900" and group != "00" and serial != "0000"


def _es(text: str) -> bool:
    plain = {"X": "0", "Y": "1", "Z": "2"}.get(text[0], text[0]) + text[1:-1].rstrip("-")
    return "TRWAGMYFPDXBNJZSQVHLCKE"[int(plain) % 23] == text[-1]


def _fr(text: str) -> bool:
    plain = text.replace(" ", "")
    body = plain[:13].replace("2A", "19").replace("2B", "18")
    return body.isdigit() and 97 - int(body) % 97 == int(plain[13:])


def _it(text: str) -> bool:
    odd = (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23)
    places = [int(one, 36) - 10 if one.isalpha() else int(one) for one in text]
    total = sum(odd[place] if index % 2 == 0 else place for index, place in enumerate(places[:15]))
    return total % 26 == places[15]


def _pl(text: str) -> bool:
    month = str(int(text[2:4]) % 20)
    total = _weighted(text, 1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1)
    return total % 10 == 0 and _is_date(month, text[4:6])


def _no(text: str) -> bool:
    plain = text.replace(" ", "")
    first = _weighted(plain, 3, 7, 6, 1, 8, 9, 4, 5, 2, 1)
    second = _weighted(plain, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1)
    day = str(int(plain[:2]) - 40 * (plain[0] >= "4"))
    return first % 11 == 0 and second % 11 == 0 and _is_date(plain[2:4], day)


def _se(text: str) -> bool:
    plain = text.replace("-", "").replace("+", "")[-10:]
    return luhn(plain) and _is_date(plain[2:4], str((int(plain[4:6]) - 1) % 60 + 1))


def _fi(text: str) -> bool:
    return "0123456789ABCDEFHJKLMNPRSTUVWXY"[int(text[:6] + text[7:10]) % 31] == text[-1] and _is_date(
        text[2:4], text[:2]
    )


def _br(text: str) -> bool:
    plain = re.sub(r"[.-]", "", text)
    first = _weighted(plain, 10, 9, 8, 7, 6, 5, 4, 3, 2) * 10 % 11 % 10
    second = _weighted(plain, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2) * 10 % 11 % 10
    return plain[9:] == f"{first}{second}" and len(set(plain)) > 1


def _de(text: str) -> bool:
    plain, product = text.replace(" ", ""), 10
    for one in plain[:10]:
        total = (int(one) + product) % 10 or 10
        product = total * 2 % 11
    most = max(plain[:10].count(one) for one in plain[:10])
    return (11 - product) % 10 == int(plain[10]) and 2 <= most <= 3


def _be(text: str) -> bool:
    plain = re.sub(r"[.-]", "", text)
    rest = int(plain[9:])
    return rest in (97 - int(plain[:9]) % 97, 97 - int("2" + plain[:9]) % 97)


def _dihedral(one: int, other: int) -> int:
    turned = one % 5 + other % 5 if one < 5 else one % 5 - other % 5
    return turned % 5 + 5 * ((one < 5) != (other < 5))


def _national(pattern: str, holds: Callable[[str], bool]) -> tuple[re.Pattern[str], Callable[[str], bool]]:
    return re.compile(rf"(?<![A-Za-z0-9.,_+-]){pattern}(?![A-Za-z0-9_-])"), holds


_NATIONAL = (
    _national(r"[0-9]{3}-[0-9]{2}-[0-9]{4}", _us),
    _national(r"[XYZ0-9][0-9]{7}-?[A-HJ-NP-TV-Z]", _es),
    _national(r"[12] ?[0-9]{2} ?(?:0[1-9]|1[0-2]|[2-9][0-9]) ?[0-9][0-9AB] ?[0-9]{3} ?[0-9]{3} ?[0-9]{2}", _fr),
    _national(r"[A-Z]{6}[0-9]{2}[ABCDEHLMPRST][0-9]{2}[A-Z][0-9]{3}[A-Z]", _it),
    _national(r"[0-9]{11}", lambda text: _pl(text) or _no(text) or _de(text)),
    _national(r"[0-9]{6} [0-9]{5}", _no),
    _national(r"[0-9]{2} [0-9]{3} [0-9]{3} [0-9]{3}", _de),
    _national(r"(?:[0-9]{2})?[0-9]{6}[-+][0-9]{4}", _se),
    _national(r"[0-9]{6}[-+A-F][0-9]{3}[0-9A-Y]", _fi),
    _national(r"[0-9]{3}\.[0-9]{3}\.[0-9]{3}-[0-9]{2}", _br),
    _national(r"[0-9]{2}\.[0-9]{2}\.[0-9]{2}-[0-9]{3}\.[0-9]{2}", _be),
    _national(r"[2-9][0-9]{3} [0-9]{4} [0-9]{4}", verhoeff),
)
"""Sweden, Finland: a personal number with its sign; Poland, Norway and Germany also share eleven digits in a row."""
