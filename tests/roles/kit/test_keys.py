"""Key files: what they hold, and all for which they are refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import zmq
import zmq.auth

from chaos.curves import make_keys
from roles.kit.keys import PUBLISHED, KeyFileError, KeyPair, named, read_pair, read_public


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    return make_keys(tmp_path / "keys", "worker", "sink")


def write(path: Path, public: str, secret: str) -> None:
    path.write_text(f'curve\n    public-key = "{public}"\n    secret-key = "{secret}"\n')


def test_what_was_made_is_read_here_and_by_pyzmq(keys: Path) -> None:
    pair = read_pair(keys, "worker")
    assert zmq.curve_public(pair.secret) == pair.public == read_public(keys, "worker")
    assert zmq.auth.load_certificate(keys / "worker.key_secret") == pair
    assert zmq.auth.load_certificate(keys / "worker.key") == (pair.public, None)
    assert named(keys) == ["sink", "worker"]


def test_a_pair_shows_nobody_its_secret() -> None:
    assert "hidden" not in f"{KeyPair(b'seen', b'hidden')!r} {[KeyPair(b'seen', b'hidden')]}"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o610])
def test_a_secret_that_others_can_get_at_is_refused(keys: Path, mode: int) -> None:
    (keys / "worker.key_secret").chmod(mode)
    with pytest.raises(KeyFileError, match=f"others can get at it, its mode is {mode:04o}"):
        read_pair(keys, "worker")


def test_a_public_key_may_be_read_by_all_and_written_by_none(keys: Path) -> None:
    (keys / "worker.key").chmod(0o644)
    assert read_public(keys, "worker")
    (keys / "worker.key").chmod(0o664)
    with pytest.raises(KeyFileError, match="its mode is 0664"):
        read_public(keys, "worker")


def test_a_folder_that_others_can_look_into_is_refused(keys: Path) -> None:
    keys.chmod(0o750)
    with pytest.raises(KeyFileError, match="its mode is 0750"):
        read_public(keys, "worker")


@pytest.mark.parametrize("name", ["worker.key", "worker.key_secret"])
def test_a_link_is_refused_wherever_it_leads(keys: Path, name: str) -> None:
    (keys / name).rename(keys / "elsewhere")
    (keys / name).symlink_to("elsewhere")
    with pytest.raises(KeyFileError, match="it is a symbolic link"):
        (read_public if name == "worker.key" else read_pair)(keys, "worker")


def test_a_folder_that_is_a_link_is_refused(keys: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(keys)
    with pytest.raises(KeyFileError, match="it is a symbolic link"):
        read_public(tmp_path / "link", "worker")


def test_a_file_of_somebody_else_is_refused(keys: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    with pytest.raises(KeyFileError, match="it belongs to another user"):
        read_public(keys, "worker")


def test_what_is_no_file_keeps_nobody_waiting(keys: Path) -> None:
    (keys / "worker.key").unlink()
    os.mkfifo(keys / "worker.key", 0o600)
    with pytest.raises(KeyFileError, match="it is no file"):
        read_public(keys, "worker")


@pytest.mark.parametrize("key", sorted(PUBLISHED))
def test_the_keys_of_the_manual_are_refused(keys: Path, key: bytes) -> None:
    write(keys / "worker.key", key.decode(), "")
    with pytest.raises(KeyFileError, match="a test key of ZeroMQ's manual"):
        read_public(keys, "worker")


def test_the_manuals_own_pairs_are_among_the_published_keys() -> None:
    assert {zmq.curve_public(key) for key in PUBLISHED} & PUBLISHED == {
        b"Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID",
        b"rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7",
    }


def test_two_keys_of_different_pairs_are_no_pair(keys: Path) -> None:
    public, secret = read_public(keys, "sink").decode(), read_pair(keys, "worker").secret.decode()
    write(keys / "worker.key_secret", public, secret)
    with pytest.raises(KeyFileError, match="do not belong together") as caught:
        read_pair(keys, "worker")
    assert secret not in str(caught.value)


@pytest.mark.parametrize("text", ["", "curve\n", 'public-key = "short"\n', "\0" * 9000])
def test_a_file_without_a_key_is_refused(keys: Path, text: str) -> None:
    (keys / "worker.key").write_text(text)
    with pytest.raises(KeyFileError, match="it holds no public-key of 40 characters"):
        read_public(keys, "worker")


def test_who_has_no_key_is_told_how_to_make_one(keys: Path) -> None:
    with pytest.raises(KeyFileError, match=r"it is not there \(orchestrator keys makes them\)"):
        read_pair(keys, "server")
