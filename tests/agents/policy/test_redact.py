"""Secrets and personal data are found by shape and checksum, and what only looks alike is left."""

from __future__ import annotations

import time

import pytest

from choragus.agents.errors import AgentFault
from choragus.agents.policy.number import luhn, verhoeff
from choragus.agents.policy.redacted import PERSONAL, SECRETS, redact

from .secret_shapes import HIDDEN, SHAPES

AROUND = ("{}", "key={} and", '{{"env": "{}"}}', "ValueError: '{}' is wrong", "[{}]", "{}, {}")


@pytest.mark.parametrize("shape", SHAPES)
def test_s41_a_key_of_a_known_shape_is_redacted(shape: str) -> None:
    key = SHAPES[shape]
    for around in AROUND:
        redacted = redact(around.format(key, key)).text

        assert "[redacted:" in redacted
        assert key[12:24] not in redacted
        assert key.strip("\\n")[-9:-1] not in redacted.replace("PRIVATE KEY", "")
        assert redact(redacted).text == redacted


@pytest.mark.parametrize("shape", HIDDEN)
def test_s41_a_secret_behind_a_telling_word_is_redacted(shape: str) -> None:
    around, secret = HIDDEN[shape]

    redacted = redact(around.format(secret)).text

    assert redacted.startswith(around.partition("{}")[0].replace("{{", "{").removesuffix("bob:"))
    assert secret not in redacted
    assert redact(redacted).text == redacted


@pytest.mark.parametrize(
    ("kind", "number"),
    [
        ("card", "4111111111111111"),
        ("card", "4111 1111 1111 1111"),
        ("card", "5555-5555-5555-4444"),
        ("card", "378282246310005"),
        ("card", "3782 822463 10005"),
        ("card", "30569309025904"),
        ("card", "6011000990139424"),
        ("iban", "DE89370400440532013000"),
        ("iban", "GB82 WEST 1234 5698 7654 32"),
        ("iban", "NO93 8601 1117 947"),
        ("iban", "FR14 2004 1010 0505 0001 3M02 606"),
        ("email", "ada.lovelace+news@mail.example.co.uk"),
        ("phone", "+49 30 901820"),
        ("phone", "+1 (212) 555-2368"),
        ("phone", "(212) 555-2368"),
        ("phone", "212-555-2368"),
        ("national-id", "078-05-1120"),
        ("national-id", "12345678Z"),
        ("national-id", "X1234567L"),
        ("national-id", "1 85 05 78 006 084 91"),
        ("national-id", "RSSMRA85T10A562S"),
        ("national-id", "44051401359"),
        ("national-id", "811218-9876"),
        ("national-id", "131052-308T"),
        ("national-id", "529.982.247-25"),
        ("national-id", "86095742719"),
        ("national-id", "85.07.30-033.28"),
    ],
)
def test_personal_data_with_a_valid_checksum_is_redacted(kind: str, number: str) -> None:
    assert redact(f"It is {number}.").text == f"It is [redacted:{kind}]."


@pytest.mark.parametrize(
    "text",
    [
        "4111111111111112",  # Luhn
        "1763856000000000",  # microseconds since the epoch
        "0000000000000000",
        "id 99941111111111111111999",
        "4111.1111.1111.1111",
        "DE89370400440532013001",  # remainder
        "ZZ89370400440532013000",  # country
        "2026-11-22 23:47:10 and 10.0.0.1",
        "python 3.11.2, 1,000,000 rows, 12-34-56",
        "+1 000 000 000",
        "+5 points",
        "000-12-3456",
        "12345678A",
        "529.982.247-26",
        "git@github.com:ada/engine.git",
        "@decorator and user@localhost",
        "password: required",
        'Field("token", type=str)',
        "the bearer of bad news",
        "api_key=None, password=$PASSWORD, token=token",
        "a risk-free task-list, desk-top",
        "-----BEGIN PUBLIC KEY-----",
        "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "3b241101-e2bb-4255-8caf-4136c566a962",
    ],
)
def test_what_only_looks_like_it_is_left(text: str) -> None:
    assert redact(text).text == text


def test_kinds_can_be_chosen() -> None:
    text = f"ada@example.org {SHAPES['github']}"

    assert redact(text, PERSONAL).kinds == ("email",)
    assert redact(text, SECRETS).kinds == ("api-key",)
    assert redact(text).kinds == ("email", "api-key")


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(AgentFault, match=r"^'cards' is nothing that can be redacted: choose from api-key, card"):
        redact("", ["cards"])


def test_luhn_and_verhoeff_find_every_single_wrong_digit() -> None:
    right = {luhn: "4111111111111111", verhoeff: "234123412346"}

    for holds, number in right.items():
        wrong = [number[:at] + digit + number[at + 1 :] for at in range(len(number)) for digit in "0123456789"]
        assert {one for one in wrong if holds(one)} == {number}


NASTY = {
    "a": "a",
    "digits": "1",
    "spaced digits": "4 ",
    "at": "a@",
    "labels": "a@a.a.",
    "jwt": "eyJ-",
    "jwt parts": "eyJaaaaaa.",
    "pem": "-----BEGIN PRIVATE KEY-----",
    "pem open": "-----BEGIN PRIVATE KEY-----\n a a a a",
    "url": "a://a:a",
    "named": "password=",
    "names": "a_",
    "iban": "DE89 ",
    "plus": "+4 ",
    "space": " " * 9 + "password",
    "parentheses": "+4((",
}


@pytest.mark.parametrize("nasty", NASTY)
def test_a_text_made_to_be_slow_takes_time_in_proportion(nasty: str) -> None:
    text = NASTY[nasty] * (60_000 // len(NASTY[nasty]))

    redact(text)  # a pattern that backtracks would take minutes for this and hit the timeout


@pytest.mark.slow
@pytest.mark.parametrize("nasty", NASTY)
def test_a_nasty_megabyte_takes_less_than_four_seconds(nasty: str) -> None:
    text = NASTY[nasty] * (1_000_000 // len(NASTY[nasty]))
    begin = time.process_time()

    redact(text)

    assert time.process_time() - begin < 4
