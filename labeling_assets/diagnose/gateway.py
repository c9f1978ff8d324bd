"""The media gateway, asked as a browser on Label Studio's page would: links, CORS, types, ranges, mixed content."""

from collections.abc import Iterator, Sequence
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

import httpx

from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.diagnose.clocks import clock_findings
from labeling_assets.diagnose.finding import Finding, error, ok, warning
from labeling_assets.diagnose.http import ask
from labeling_assets.diagnose.media import Sample, sample_of
from labeling_assets.errors import ConfigurationError, LabelingAssetsError
from labeling_assets.gateway.cors import ANY, normalised_origin, origins_for
from labeling_assets.mapping.label_config import LabelConfig
from labeling_assets.media_urls import MediaLinks
from labeling_assets.projects import Project
from labeling_assets.settings import Settings
from labeling_assets.sync.link_rules import load_link_rules, refuse_retired_key
from labeling_assets.sync.task_data import data_sources

_SETTING: Final = "LABELING_ASSETS_GATEWAY_ORIGINS"


def gateway_findings(settings: Settings, db: ApertureDB | None, projects: Sequence[Project] = ()) -> Iterator[Finding]:
    """All that can be said of the gateway from here; the medium it is asked for is any of the database."""
    if projects and not any(map(_needs_gateway, projects)):
        yield ok("gateway.address", "No labeling project shows media of the gateway")
        return
    try:
        links = settings.links()
        label_studio_url = settings.label_studio_url or settings.local_stack.label_studio_url or None
        origins = origins_for(settings.gateway_origins, label_studio_url)
        gateway = normalised_origin(_origin(links.base_url))
    except ConfigurationError as problem:
        yield error("gateway.settings", str(problem), "Set what the message names, for Dagster and for the gateway.")
        return
    yield from _address_findings(gateway, origins)
    findings = list(_alive(links.base_url.rstrip("/")))
    yield from findings
    if db is None or any(finding.level == "error" for finding in findings):
        return
    try:
        refuse_retired_key(db, links)
        sample = sample_of(db, denied=load_link_rules(db).denied)
    except ConfigurationError as problem:
        yield error("gateway.link", str(problem), "Set LABELING_ASSETS_LINK_SIGNING_KEY to a key that is not retired.")
        return
    except LabelingAssetsError:
        return  # the database's findings say why
    if sample is None:
        yield ok("gateway.link", "ApertureDB holds no medium yet, so no link was tried")
        return
    yield from _medium_findings(links, sample, origins, own=gateway)


def _needs_gateway(project: Project) -> bool:
    """Whether its tasks get links of ours; also where nobody can say because its configuration is wrong."""
    try:
        sources = data_sources(project, LabelConfig.parse(project.label_config()))
    except ConfigurationError:
        return True
    return bool({"link", "html"}.intersection(sources.values()))


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _address_findings(gateway: str, origins: Sequence[str]) -> Iterator[Finding]:
    """Whether browsers that show Label Studio may, and can, load from this address at all."""
    name, loopback = "gateway.address", _is_loopback(gateway)
    others = [origin for origin in origins if origin != ANY]
    secure = [origin for origin in others if origin.startswith("https:")]
    # Browsers take http://127.0.0.1 for as safe as https.
    if gateway.startswith("http:") and secure and not loopback:
        text = f"Label Studio is at {secure[0]}, and browsers load nothing from {gateway} into such a page"
        yield error(name, text, "Put the gateway behind TLS (deploy/nginx), and set LABELING_ASSETS_GATEWAY_URL to it.")
    elif loopback and any(not _is_loopback(origin) for origin in others):
        text = f"Links lead to {gateway}, which is another machine for everybody who opens Label Studio elsewhere"
        yield warning(name, text, "Set LABELING_ASSETS_GATEWAY_URL to an address that annotators reach.")
    else:
        yield ok(name, f"Browsers load media from {gateway}")


def _is_loopback(origin: str) -> bool:
    host = urlsplit(origin).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _alive(base_url: str) -> Iterator[Finding]:
    name = "gateway.reachable"
    try:
        health, ready = ask("GET", f"{base_url}/healthz"), ask("GET", f"{base_url}/readyz")
    except httpx.HTTPError as problem:
        text = f"{base_url} cannot be reached ({problem})"
        yield error(name, text, "Start labeling-assets gateway serve, or set LABELING_ASSETS_GATEWAY_URL.")
        return
    if health.status_code != 200 or '"up"' not in health.text:
        text = f"{base_url}/healthz answers {health.status_code}, and not as a media gateway"
        yield error(name, text, "Set LABELING_ASSETS_GATEWAY_URL to where the gateway is, with the path it is behind.")
        return
    yield ok(name, f"The media gateway runs at {base_url}")
    if ready.status_code != 200:
        text = f"The media gateway runs, but does not reach its ApertureDB ({ready.status_code})"
        yield error(
            "gateway.ready", text, "Start the gateway with the APERTUREDB_KEY that works here; its log says why."
        )
    yield from clock_findings("gateway.clock", "the media gateway", health)


def _medium_findings(links: MediaLinks, sample: Sample, origins: Sequence[str], *, own: str) -> Iterator[Finding]:
    link, name = links.link(sample.guid), "gateway.link"
    try:
        answer = ask("GET", link, headers={"Range": "bytes=0-0"})
    except httpx.HTTPError as problem:
        yield error(name, f"The link of medium {sample.guid} cannot be loaded: {problem}", "Look at the gateway's log.")
        return
    if answer.status_code == 401:
        text = (
            "Who loads media must be logged in at Label Studio (a proxy asks), so the links cannot be tried from here"
        )
        yield ok(name, text)
        return
    if answer.status_code not in (200, 206):
        yield _refused(links, sample, answer.status_code)
        return
    yield ok(name, f"The link of medium {sample.guid} opens, signed by {links.key_id}")
    yield from _content_findings(sample, answer)
    cross = [origin for origin in origins if origin != own]
    if not origins:
        text = f"Nobody said on which page media are shown: no website may load them (set {_SETTING})"
        yield error("gateway.cors", text, f"Set LABEL_STUDIO_URL or {_SETTING} for the gateway, and start it again.")
    if own in origins:
        yield ok("gateway.cors", "Media have the origin of Label Studio")
    for origin in cross:
        yield from _cors_findings(link, origin)


def _refused(links: MediaLinks, sample: Sample, status: int) -> Finding:
    text = f"The media gateway answers {status} to the link of medium {sample.guid}, signed by {links.key_id}"
    fixes = {
        403: "Start the gateway again with the LABELING_ASSETS_LINK_KEYS, or the home folder, that Dagster has.",
        404: "Start the gateway with the APERTUREDB_KEY that Dagster has: it does not have this medium.",
    }
    return error("gateway.link", text, fixes.get(status, "Look at the log of the media gateway: it says why."))


def _content_findings(sample: Sample, answer: httpx.Response) -> Iterator[Finding]:
    given = answer.headers.get("content-type", "")
    main = given.partition(";")[0].strip().lower()
    if sample.mime_type is not None and main != sample.mime_type:
        text = (
            f"Medium {sample.guid} is {sample.mime_type}, and comes as {given or 'nothing'}: browsers may not show it"
        )
        yield error("gateway.content_type", text, "Let the proxy before the gateway pass Content-Type on as it is.")
    else:
        yield ok("gateway.content_type", f"Media come with their types, such as {given}")
    if answer.status_code == 206 and answer.headers.get("content-range", "").startswith("bytes 0-0/"):
        yield ok("gateway.ranges", "Parts of media can be loaded: videos can be sought in")
    else:
        text = f"A part of medium {sample.guid} was asked for, and the answer is {answer.status_code} with all of it"
        yield error("gateway.ranges", text, "Let the proxy before the gateway pass Range on, and cache no media whole.")


def _cors_findings(link: str, origin: str) -> Iterator[Finding]:
    name = "gateway.cors"
    asked = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "range"}
    shown = "https://anybody.example.org" if origin == ANY else origin
    try:
        answer = ask("GET", link, headers={"Origin": shown, "Range": "bytes=0-0"})
        preflight = ask("OPTIONS", link, headers={"Origin": shown, **asked})
    except httpx.HTTPError as problem:
        yield error(name, f"A link cannot be loaded: {problem}", "Look at the log of the media gateway.")
        return
    problems = [*_missing(answer, shown, "the answer"), *_missing(preflight, shown, "the preflight")]
    if preflight.status_code not in (200, 204) or not _allows_ranges(preflight):
        problems.append(f"the preflight for parts of a medium is answered with {preflight.status_code}")
    if problems:
        text = f"Browsers show no media on {origin}: {'; '.join(problems)}"
        fix = f"Add it to {_SETTING} of the gateway (or set LABEL_STUDIO_URL there), and start it again."
        yield error(name, text, fix)
    elif answer.headers["access-control-allow-origin"] == ANY:
        text = f"Every website may load media, not only {origin}"
        yield warning(name, text, f"Name the origins of Label Studio in {_SETTING} of the gateway instead of '*'.")
    else:
        yield ok(name, f"Browsers may load media on {origin}")
    if answer.headers.get("access-control-allow-origin") == origin and "origin" not in _vary(answer):
        text = (
            "The answer does not say that it depends on the origin: caches may give it to another website, without it"
        )
        yield warning("gateway.vary", text, "Let the proxy before the gateway pass the header Vary on.")


def _missing(answer: httpx.Response, origin: str, what: str) -> list[str]:
    allowed = answer.headers.get("access-control-allow-origin")
    return [] if allowed in (origin, ANY) else [f"{what} allows {allowed or 'no origin'}"]


def _allows_ranges(preflight: httpx.Response) -> bool:
    return "range" in preflight.headers.get("access-control-allow-headers", "").lower()


def _vary(answer: httpx.Response) -> str:
    return str(answer.headers.get("vary", "")).lower()
