"""What others on the network can do to an HTTP source is told with the remedy."""

import pytest

from gateway.sources.settings import HttpSourceSettings


@pytest.mark.parametrize(
    ("listen", "more", "says"),
    [
        ("127.0.0.1:8090", {}, ""),
        ("localhost:8090", {}, ""),
        ("[::1]:8090", {}, ""),
        ("0.0.0.0:8090", {}, "set token_file"),
        ("[::]:8090", {"certificate_file": "/c"}, "set token_file"),
        ("192.0.2.7:8090", {"token_file": "/t"}, "set certificate_file, or put a proxy with TLS before it"),
        ("192.0.2.7:8090", {"token_file": "/t", "certificate_file": "/c"}, ""),
    ],
)
def test_a_source_that_is_open_to_others_says_so(listen: str, more: dict[str, str], says: str) -> None:
    source = HttpSourceSettings.model_validate({"driver": "json", "listen": listen, **more})
    assert source.exposed.endswith(says)
    assert bool(source.exposed) == bool(says)


def test_the_path_is_the_sources_name_unless_it_is_set() -> None:
    assert HttpSourceSettings(driver="json").path_of("stations") == "/stations"
    assert HttpSourceSettings(driver="json", path="/in/").path_of("stations") == "/in"
    assert HttpSourceSettings(driver="json", path="/").path_of("stations") == "/"
