"""Codes by time, against the vectors of RFC 6238 and RFC 4226, and the QR code that carries the secret."""

import re

import pytest

from idp.accounts import totp
from idp.web import qr

SECRET = b"12345678901234567890"


@pytest.mark.parametrize(
    ("time", "code"),
    [(59, "94287082"), (1111111109, "07081804"), (1111111111, "14050471"), (1234567890, "89005924"),
     (2000000000, "69279037"), (20000000000, "65353130")],
)  # fmt: skip
def test_rfc6238_appendix_b(time: int, code: str) -> None:
    assert totp.code_at(SECRET, time // totp.STEP) == code[-totp.DIGITS :]


@pytest.mark.parametrize(
    ("counter", "code"),
    list(enumerate(["755224", "287082", "359152", "969429", "338314", "254676", "287922"])),
)
def test_rfc4226_appendix_d(counter: int, code: str) -> None:
    assert totp.code_at(SECRET, counter) == code


def test_a_qr_code_is_one_path_with_its_quiet_zone() -> None:
    picture = qr.draw("otpauth://totp/Acme:alice?secret=ABC")
    assert picture.side > 2 * qr.QUIET + 20
    assert picture.path.startswith(f"M{qr.QUIET} {qr.QUIET}.5h7m")  # the finder pattern of the corner
    assert picture.path.count("M") == picture.side - 2 * qr.QUIET
    assert set(picture.path) <= set("Mhm-. 0123456789")


def test_two_pictures_of_one_length_have_as_many_words() -> None:
    one, other = (
        qr.draw(f"otpauth://totp/Acme:alice?secret={secret}") for secret in ("AAAAAAAA", "BCDEFGH2")
    )
    assert one.path != other.path and len(re.findall(r"[\w-]+|[^\w-]", one.path)) == len(
        re.findall(r"[\w-]+|[^\w-]", other.path)
    )
