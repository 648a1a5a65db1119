"""Keys in the shapes that issuers give them; none was ever valid. They are put together here, lest a scanner alarms."""

from __future__ import annotations

_ABC = "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7"
_HEX = "0123456789abcdef"


def _of(size: int, letters: str = _ABC) -> str:
    return (letters * (size // len(letters) + 1))[:size]


_PEM_BODY = "\n".join([_of(64)] * 4 + ["AbC="])
SHAPES = {
    "openai": "sk-" + _of(48),
    "openai-project": "sk-proj-" + _of(40) + "_" + _of(20) + "-" + _of(10),
    "anthropic": "sk-ant-" + "api03-" + _of(80) + "AA",
    "aws-id": "AKIA" + _of(16, "IOSFODNN7EXAMPLE"),
    "github": "ghp_" + _of(36),
    "github-fine": "github_pat_" + _of(22) + "_" + _of(59),
    "gitlab": "glpat-" + _of(20),
    "slack": "xoxb-" + "123456789012-123456789012-" + _of(24),
    "google": "AIza" + _of(35),
    "google-oauth": "ya29." + _of(60),
    "stripe": "sk_live_" + _of(24),
    "npm": "npm_" + _of(36),
    "pypi": "pypi-" + "AgEIcHlwaS5vcmc" + _of(60),
    "hugging-face": "hf_" + _of(34),
    "sendgrid": "SG." + _of(22) + "." + _of(43),
    "mailgun": "key-" + _of(32, _HEX),
    "twilio": "SK" + _of(32, _HEX),
    "shopify": "shpat_" + _of(32, _HEX),
    "digital-ocean": "dop_v1_" + _of(64, _HEX),
    "databricks": "dapi" + _of(32, _HEX),
    "groq": "gsk_" + _of(52),
    "vault": "hvs." + _of(40),
    "telegram": "123456789:" + "AA" + _of(33),
    "jwt": "eyJhbGciOiJIUzI1NiJ9." + "eyJzdWIiOiIxMjM0NTY3ODkwIn0." + _of(43),
    "pem": "-----BEGIN RSA " + f"PRIVATE KEY-----\n{_PEM_BODY}\n-----END RSA PRIVATE KEY-----",
    "pem-plain": "-----BEGIN " + f"PRIVATE KEY-----\n{_PEM_BODY}\n-----END PRIVATE KEY-----",
    "pem-in-json": "-----BEGIN EC " + "PRIVATE KEY-----\\n" + _of(64) + "\\n-----END EC PRIVATE KEY-----\\n",
}
"""By issuer: what must be gone as a whole."""

HIDDEN = {
    "bearer": ("Authorization: Bearer {}", _of(32)),
    "bearer-alone": ("curl -H 'x: bearer {}'", _of(32)),
    "basic": ("authorization: Basic {}", "dXNlcjpodW50ZXIyCg=="),
    "url": ("postgres://bob:{}@db.example.org:5432/app", "hunter2"),
    "url-at": ("https://bob:{}@example.org/", "p@ssw0rd"),
    "aws-secret": ("aws_secret_access_key = {}", _of(20) + "/" + _of(19)),
    "env": ("OPENAI_API_KEY={}", "abcd1234"),
    "json": ('{{"client_secret": "{}"}}', "correcthorse"),
    "json-in-json": ('{{\\"password\\": \\"{}\\"}}', "correcthorse"),
    "query": ("https://example.org/?access_token={}&page=2", _of(24)),
    "connection": ("AccountName=x;AccountKey={};", _of(86) + "=="),
}
"""Where a secret stands whose own looks say nothing: the text around it, and what must be gone."""
