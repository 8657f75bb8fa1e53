"""Passwords at rest."""

from modelkeep.storage.passwords import Argon2Passwords


def test_a_password_is_kept_as_argon2id_and_only_it_is_right() -> None:
    passwords = Argon2Passwords()
    hashed = passwords.hash("correct horse")
    assert hashed.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert "horse" not in hashed
    assert passwords.is_right(hashed, "correct horse")
    assert not passwords.is_right(hashed, "correct horsE")


def test_without_a_hash_or_with_a_damaged_one_nothing_is_right() -> None:
    passwords = Argon2Passwords()
    assert not passwords.is_right(None, "")
    assert not passwords.is_right("", "")
    assert not passwords.is_right("$argon2id$nonsense", "")
