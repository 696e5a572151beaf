"""What services run with, against what their environments demand: keys and names of resources are told, values never."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from policy.finding import Finding
from policy.gates import Waivable
from policy.schema import Settings
from policy.settings import Configured, wrong
from tests.policy.rules.judging import MET, UNMET, gate, judged, seeing

STAGE = Settings(
    require={"APP_ENV": "staging", "DEBUG_ERRORS": "0"},
    forbid={"LOG_BODIES": ("true", "1")},
    own_values=("API_BASE", "*_BUCKET"),
    secrets=("STAGE_*",),
    forbid_secrets=("projects/acme-prod/secrets/*",),
    service_accounts=("*@acme-stage.iam.gserviceaccount.com",),
    databases=("acme-stage:*", "*.staging.internal"),
    database_keys=("DB_HOST", "DATABASE_URL"),
    origins=("https://*.stage.acme.com",),
    origin_keys=("CORS_ORIGINS",),
    domains=("*.stage.acme.com",),
    forbid_domains=("app.acme.com", "*.prod.acme.com"),
    secret_keys=("*TOKEN*", "*SECRET*", "*PASSWORD*", "*KEY"),
)
API = Configured(
    variables={
        "APP_ENV": "staging",
        "DEBUG_ERRORS": "0",
        "API_BASE": "https://api.stage.acme.com",
        "DB_HOST": "db.staging.internal",
        "CORS_ORIGINS": "https://app.stage.acme.com, https://admin.stage.acme.com/",
    },
    secrets={"DB_URL": "projects/acme-stage/secrets/STAGE_DB_URL"},
    account="api@acme-stage.iam.gserviceaccount.com",
    databases=("acme-stage:europe-west1:main",),
    domains=("api.stage.acme.com",),
)
PROD_API = Configured(
    variables={"API_BASE": "https://api.acme.com"}, secrets={"DB_URL": "projects/acme-prod/secrets/PROD_DB_URL"}
)


def but(variables: Mapping[str, str | None] | None = None, **changes: Any) -> Configured:
    """The service with nothing wrong, but for this; None takes a variable away."""
    merged = {**API.variables, **(variables or {})}
    return replace(API, variables={key: value for key, value in merged.items() if value is not None}, **changes)


def audited(
    service: str, config: Configured, environment: str = "stage", settings: Settings = STAGE, **elsewhere: Configured
) -> Finding:
    """What the gate says, once the service was looked at."""
    found = {environment: {service: wrong(settings, config, elsewhere)}}
    return judged(gate("settings", environments=[environment]), seeing(settings=found))


@pytest.mark.requirement("S0-32")
def test_a_service_that_is_configured_as_it_must_be() -> None:
    """Its secret is `projects/acme-stage/secrets/STAGE_DB_URL`."""
    assert wrong(STAGE, API, {"prod": PROD_API}) == ()
    assert audited("api", API, prod=PROD_API).standing == MET


@pytest.mark.requirement("S0-29")
@pytest.mark.parametrize(
    "url",
    ["https://app.acme.com", "https://APP.acme.com:443/x", "x=1&to=https%3A%2F%2Fapp.acme.com%2F", "app.acme.com", "ws.prod.acme.com,b"],
)  # fmt: skip
def test_stage_names_no_domain_of_production(url: str) -> None:
    finding = audited("web", but({"PUBLIC_URL": url}))
    assert (finding.standing, finding.reason) == (UNMET, "stage web.PUBLIC_URL: names a host that is forbidden here")


@pytest.mark.parametrize("value", ["https://myapp.acme.com", "https://app.acme.com.stage.acme.com", "app-acme-com", ""])
def test_a_host_that_only_looks_like_it_is_another(value: str) -> None:
    assert wrong(STAGE, but({"PUBLIC_URL": value})) == ()


@pytest.mark.requirement("S0-29")
def test_stage_answers_at_no_address_but_its_own() -> None:
    assert wrong(STAGE, but(domains=("app.acme.com",))) == ("domain: app.acme.com is none of this environment",)
    assert wrong(STAGE, but(domains=("api.stage.acme.com", "API.Stage.acme.com"))) == ()


@pytest.mark.requirement("S0-30")
def test_stage_is_attached_to_no_database_of_production() -> None:
    finding = audited("api", but(databases=("acme-prod:eu:main",)))
    assert finding.reason == "stage api.database: acme-prod:eu:main is none of this environment"


PROD = Settings(
    require={"APP_ENV": "production", "DEBUG_ERRORS": "0"},
    databases=("db.prod.internal", "acme-prod:*"),
    database_keys=("DB_HOST", "*DATABASE_URL"),
    origins=("https://app.acme.com",),
    origin_keys=("CORS_ORIGINS",),
    secrets=("PROD_*",),
)
RIGHT = Configured(variables={"APP_ENV": "production", "DEBUG_ERRORS": "0"})


def in_prod(**variables: str) -> str:
    return audited("api", replace(RIGHT, variables={**RIGHT.variables, **variables}), "prod", PROD).reason


@pytest.mark.requirement("S1-14", "S0-30")
@pytest.mark.parametrize(
    "value",
    [
        "db.staging.internal",
        "db.staging.internal:5432",
        "postgres://u:p@db.staging.internal:5432/app?sslmode=require",
        "postgres://u:p@ss@db.staging.internal/app",
        "postgresql://u@/app?host=/cloudsql/acme-stage:eu:main",
        "postgresql://u@/app?x=1&host=%2Fcloudsql%2Facme-stage%3Aeu%3Amain#y",
        "postgresql://db.prod.internal/app?x=1&host=db.prod.internal,db.staging.internal",
        "postgresql://db.prod.internal/app?host=db.staging.internal",
        "postgres://db.prod.internal,db.staging.internal/app",
        "jdbc:postgresql://db.staging.internal/app",
        "host=db.staging.internal port=5432 dbname=app",
        "/cloudsql/acme-stage:eu:main",
        "postgres://",
        "dbname=app",
        "",
    ],
)
def test_prod_talks_to_no_database_but_its_own(value: str) -> None:
    assert in_prod(DATABASE_URL=value) == "prod api.DATABASE_URL: not a database of this environment"
    assert in_prod(DB_HOST=value) == "prod api.DB_HOST: not a database of this environment"


@pytest.mark.parametrize(
    "value",
    [
        "db.prod.internal",
        "DB.prod.internal:5432",
        "postgres://u:p%40ss@db.prod.internal:5432/app",
        "postgresql://u@/app?host=/cloudsql/acme-prod:eu:main",
        "postgresql://u@/app?host=%2fcloudsql%2facme-prod%3Aeu%3Amain",
        "host=db.prod.internal port=5432",
        "/cloudsql/acme-prod:eu:main",
        "acme-prod:eu:main",
    ],
)
def test_the_many_ways_of_naming_its_own_database(value: str) -> None:
    assert in_prod(DATABASE_URL=value) == "nothing is wrong in prod"


def test_a_database_that_a_secret_names_cannot_be_compared() -> None:
    config = replace(RIGHT, secrets={"DATABASE_URL": "projects/acme-prod/secrets/PROD_DATABASE_URL"})
    assert wrong(PROD, config) == ("DATABASE_URL: comes from a secret, so nobody can tell what it is",)


@pytest.mark.requirement("S0-31")
@pytest.mark.parametrize(
    ("account", "reason"),
    [
        ("api@acme-prod.iam.gserviceaccount.com", "service_account: api@acme-prod.iam.gserviceaccount.com is none of this environment"),
        ("", "service_account: the default account is none of this environment"),
        ("api@acme-stage.iam.gserviceaccount.com.evil.example", "service_account: api@acme-stage.iam.gserviceaccount.com.evil.example is none of this environment"),
    ],
)  # fmt: skip
def test_stage_runs_as_no_account_but_its_own(account: str, reason: str) -> None:
    assert audited("api", but(account=account)).reason == f"stage api.{reason}"


@pytest.mark.requirement("S0-32", "S0-33", "S2-07")
@pytest.mark.parametrize(
    ("key", "secret", "reason"),
    [
        ("DB_URL", "projects/acme-prod/secrets/DB_URL", "DB_URL: secret DB_URL is forbidden here"),
        ("DB_URL", "projects/acme-prod/secrets/STAGE_DB_URL", "DB_URL: secret STAGE_DB_URL is forbidden here"),
        ("DB_URL", "projects/acme-stage/secrets/PROD_DB_URL", "DB_URL: secret PROD_DB_URL is none of this environment"),
        ("DB_URL", "PROD_DB_URL", "DB_URL: secret PROD_DB_URL is none of this environment"),
        ("/etc/key", "projects/acme-prod/secrets/DB_URL/versions/3", "/etc/key: secret DB_URL is forbidden here"),
    ],
)
def test_stage_references_no_secret_but_its_own_and_no_exception_waives_that(
    key: str, secret: str, reason: str
) -> None:
    finding = audited("api", but(secrets={key: secret}))
    assert (finding.standing, finding.reason) == (UNMET, f"stage api.{reason}")
    assert gate("settings", environments=["stage"]).waivable is Waivable.NEVER


@pytest.mark.requirement("S0-33")
def test_nor_does_it_name_one_in_plain_text() -> None:
    value = "sm://projects/acme-prod/secrets/DB_URL/versions/latest"
    assert wrong(STAGE, but({"BOOT": value})) == ("BOOT: names a secret that is forbidden here",)
    assert wrong(STAGE, but({"BOOT": "projects/acme-stage/secrets/STAGE_DB_URL"})) == ()
    assert wrong(STAGE, but({"BOOT": "projects/acme-stage/secrets/OTHER"})) == ("BOOT: names a secret that is none of this environment",)  # fmt: skip


@pytest.mark.requirement("S0-34", "D-12")
def test_the_same_value_in_two_environments_is_told_by_its_key() -> None:
    shared = "https://api.shared.example/?token=hunter2"
    prod = replace(PROD_API, variables={"API_BASE": shared, "LEFT": "same"})
    finding = audited("api", but({"API_BASE": shared, "LEFT": "same"}), prod=prod)
    assert (finding.standing, finding.reason) == (UNMET, "stage api.API_BASE: has the same value in prod")
    assert "hunter2" not in repr(finding)


def test_the_same_secret_in_two_environments_is_told_by_its_key_whatever_its_version() -> None:
    mine = but(secrets={"MEDIA_BUCKET": "projects/acme-stage/secrets/STAGE_BUCKET/versions/2"})
    theirs = replace(PROD_API, secrets={"MEDIA_BUCKET": "projects/acme-stage/secrets/STAGE_BUCKET/versions/latest"})
    assert wrong(STAGE, mine, {"prod": theirs}) == ("MEDIA_BUCKET: is the same secret in prod",)
    assert wrong(STAGE, mine, {"prod": PROD_API}) == ()


@pytest.mark.requirement("S1-11")
@pytest.mark.parametrize("value", ["staging", "Production", "production ", ""])
def test_prod_says_that_it_is_production(value: str) -> None:
    assert in_prod(APP_ENV=value) == "prod api.APP_ENV: must be production"


@pytest.mark.requirement("S1-12")
@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"DEBUG_ERRORS": "1"}, "DEBUG_ERRORS: must be 0"),
        ({"DEBUG_ERRORS": "00"}, "DEBUG_ERRORS: must be 0"),
        ({"DEBUG_ERRORS": "false"}, "DEBUG_ERRORS: must be 0"),
        ({"DEBUG_ERRORS": None}, "DEBUG_ERRORS: must be 0, and is not set"),
    ],
)
def test_debug_errors_is_exactly_0_and_missing_is_wrong(changed: dict[str, str | None], reason: str) -> None:
    assert wrong(STAGE, but(changed)) == (reason,)


def test_what_comes_from_a_secret_cannot_be_what_is_demanded() -> None:
    config = but({"DEBUG_ERRORS": None}, secrets={"DEBUG_ERRORS": "STAGE_DEBUG", "LOG_BODIES": "STAGE_BODIES"})
    hidden = "comes from a secret, so nobody can tell what it is"
    assert wrong(STAGE, config) == (f"DEBUG_ERRORS: must be 0, and {hidden}", f"LOG_BODIES: {hidden}")


@pytest.mark.parametrize("value", ["true", "TRUE", " 1 "])
def test_a_forbidden_value_is_forbidden_however_it_is_written(value: str) -> None:
    assert wrong(STAGE, but({"LOG_BODIES": value})) == ("LOG_BODIES: has a value that is forbidden here",)
    assert wrong(STAGE, but({"LOG_BODIES": "false"})) == ()


@pytest.mark.requirement("S1-13")
@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("*", "CORS_ORIGINS: lets every origin in"),
        ("https://app.acme.com,*", "CORS_ORIGINS: lets every origin in"),
        ('["*"]', "CORS_ORIGINS: lets every origin in"),
        ("https://*.acme.com", "CORS_ORIGINS: lets every origin in"),
        (
            "https://app.acme.com https://evil.example",
            "CORS_ORIGINS: lets in an origin that is none of this environment",
        ),
        ("http://app.acme.com", "CORS_ORIGINS: lets in an origin that is none of this environment"),
        ("null", "CORS_ORIGINS: lets in an origin that is none of this environment"),
    ],
)
def test_prod_lets_in_no_origin_but_its_own(value: str, reason: str) -> None:
    assert in_prod(CORS_ORIGINS=value) == f"prod api.{reason}"


@pytest.mark.parametrize("value", ["https://app.acme.com", '["https://app.acme.com"]', "https://APP.acme.com/;", ""])
def test_the_many_ways_of_listing_its_own_origins(value: str) -> None:
    assert in_prod(CORS_ORIGINS=value) == "nothing is wrong in prod"


def test_origins_are_compared_within_their_host() -> None:
    assert wrong(STAGE, but({"CORS_ORIGINS": "https://evil.example/x.stage.acme.com"})) != ()


@pytest.mark.requirement("S4-117", "D-12")
@pytest.mark.parametrize("key", ["STRIPE_KEY", "stripe_key", "GH_TOKEN", "SECRET_SAUCE", "DB_PASSWORD_OLD"])
def test_a_secret_in_plain_text_blocks_by_its_key_only(key: str) -> None:
    finding = audited("api", but({key: "sk_live_51Hx"}))
    assert (finding.standing, finding.reason) == (UNMET, f"stage api.{key}: must come from the secret store")
    assert "sk_live" not in repr(finding)


def test_from_the_secret_store_it_may_have_such_a_name() -> None:
    assert wrong(STAGE, but(secrets={"STRIPE_KEY": "projects/acme-stage/secrets/STAGE_STRIPE"})) == ()


def test_origins_that_a_secret_names_cannot_be_compared() -> None:
    config = but({"CORS_ORIGINS": None}, secrets={"CORS_ORIGINS": "STAGE_CORS"})
    assert wrong(STAGE, config) == ("CORS_ORIGINS: comes from a secret, so nobody can tell what it is",)


def test_addresses_may_be_demanded_and_forbidden_apart() -> None:
    assert wrong(Settings(domains=("*.stage.acme.com",)), but(domains=("b.example",))) == (
        "domain: b.example is none of this environment",
    )
    assert wrong(Settings(forbid_domains=("b.example",)), but(domains=("b.example",))) == (
        "domain: b.example is none of this environment",
    )
    assert wrong(Settings(forbid_domains=("c.example",)), but(domains=("b.example",))) == ()


def test_a_demand_that_says_nothing_demands_nothing() -> None:
    anything = but(
        {"X_TOKEN": "x", "CORS_ORIGINS": "*", "DB_HOST": "y"}, account="", domains=("z",), databases=("a:b:c",)
    )
    assert wrong(Settings(), anything, {"prod": anything}) == ()
    assert wrong(Settings(origin_keys=("CORS_ORIGINS",)), anything) == ("CORS_ORIGINS: lets every origin in",)
    assert wrong(Settings(origin_keys=("CORS_ORIGINS",)), API) == ()


def test_no_value_is_ever_told() -> None:
    """Whatever is wrong, and it all is: what stands in the variables stands in no complaint."""
    values = {
        "APP_ENV": "zebra-1",
        "DEBUG_ERRORS": "zebra-2",
        "API_BASE": "zebra-3",
        "DB_HOST": "zebra-4.example",
        "DATABASE_URL": "postgres://zebra-5:zebra-6@app.acme.com/zebra-7",
        "CORS_ORIGINS": "https://zebra-8.example",
        "STRIPE_KEY": "zebra-9",
    }
    complaints = wrong(STAGE, but(values), {"prod": replace(PROD_API, variables=values)})
    assert len(complaints) == 8
    assert "zebra" not in " ".join(complaints)
