"""A person at a browser: Chromium in front of the real Label Studio, which shows media of our gateway."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from selenium import webdriver
from selenium.common.exceptions import TimeoutException, WebDriverException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.clients.label_studio import LabelStudio
from labeling_assets.media_urls import MediaLinks
from labeling_assets.projects import Project
from labeling_assets.stack.label_studio import LabelStudioServer
from labeling_assets.sync.batch_rows import read_rows
from labeling_assets.sync.ingest_media import ingest_media
from labeling_assets.sync.labeling_project import recorded_project
from labeling_assets.sync.publish_tasks import publish_tasks
from labeling_assets_tests.sync.world import write_files, write_project

T = TypeVar("T")
# Known to work without a screen, without a network and as root.
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1400,1000",
)


@dataclass
class Sent:
    """One answer of the gateway."""

    path: str
    status: int
    content_range: str
    origin: str
    body_bytes: int = 0


@dataclass
class Watch:
    """Notes what the gateway answers, beside the application."""

    app: ASGIApp
    sent: list[Sent] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        asked = dict(scope["headers"])
        note = Sent(scope["path"], 0, "", asked.get(b"origin", b"").decode())

        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = dict(message["headers"])
                note.status, note.content_range = message["status"], given.get(b"content-range", b"").decode()
                self.sent.append(note)
            note.body_bytes += len(message.get("body", b""))
            await send(message)

        await self.app(scope, receive, noting)


@contextmanager
def chromium(browser: str, driver: str, profile: Path) -> Iterator[webdriver.Chrome]:
    """A browser without a window, with a profile of its own."""
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    started = webdriver.Chrome(options=options, service=Service(driver))
    try:
        yield started
    finally:
        started.quit()


@dataclass
class Studio:
    """Makes tasks of media and opens them as an annotator does."""

    browser: webdriver.Chrome
    server: LabelStudioServer
    ls: LabelStudio
    db: ApertureDB
    links: MediaLinks
    watch: Watch
    folder: Path

    def log_in(self) -> None:
        self.browser.get(f"{self.server.url}/user/login")
        self.browser.find_element(By.NAME, "email").send_keys(self.server.account.username)
        self.browser.find_element(By.NAME, "password").send_keys(self.server.account.password)
        self.browser.find_element(By.CSS_SELECTOR, "button[type=submit]").click()
        self.wait(lambda: "/user/login" not in self.browser.current_url)

    def open_task(self, slug: str, name: str, data: bytes, *, config: str, **options: Any) -> tuple[Project, str]:
        """Hand in one file, make its task and open that; the project and the medium's GUID."""
        media_type = options.pop("media_type", slug)
        project = write_project(self.folder / "projects" / slug, config=config, yaml=f"media_types: [{media_type}]")
        rows = read_rows(write_files(self.folder / "inbox" / slug, {name: data}))
        report = ingest_media(self.db, rows, batch=slug, projects=[project], **options)
        assert report.failed == []
        publish_tasks(self.db, self.ls, project, batch=slug, links=self.links)
        record = recorded_project(self.db, self.ls, project)
        assert record is not None
        (task,) = self.ls.iterate_by_id(record.project_id)
        self.watch.sent.clear()
        self.browser.get(f"{self.server.url}/projects/{record.project_id}/data?task={task['id']}")
        return project, report.guids[0]

    def sent(self, guid: str) -> list[Sent]:
        """What the gateway answered for a medium since its task was opened."""
        return [sent for sent in self.watch.sent if sent.path == f"/media/{guid}"]

    def wait(self, condition: Callable[[], T]) -> T:
        """What `condition` gives as soon as that is true. The page may be drawn anew meanwhile."""
        waiting = WebDriverWait(self.browser, 60, poll_frequency=0.1, ignored_exceptions=[WebDriverException])
        return waiting.until(lambda _: condition())

    def soon(self, condition: Callable[[], bool]) -> bool:
        """Whether it comes true within some seconds."""
        try:
            return WebDriverWait(self.browser, 5, poll_frequency=0.1).until(lambda _: condition())
        except TimeoutException:
            return False

    def script(self, code: str) -> Any:
        return self.browser.execute_script(code)

    def text_of(self, selector: str) -> str:
        return self.browser.find_element(By.CSS_SELECTOR, selector).text

    def click(self, selector: str) -> None:
        """In the middle of the first that matches, once that can be done."""
        self.wait(lambda: self.browser.find_element(By.CSS_SELECTOR, selector).click() is None)

    def press(self, text: str) -> None:
        """The button with this text."""
        self.wait(lambda: self.browser.find_element(By.XPATH, f"//button[normalize-space()='{text}']").click() is None)

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """With the mouse, in pixels of the page."""
        actions = ActionChains(self.browser)
        actions.w3c_actions.pointer_action.move_to_location(*map(round, start))
        actions.w3c_actions.pointer_action.pointer_down()
        middle = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
        for place in (middle, end):
            actions.w3c_actions.pointer_action.move_to_location(*map(round, place))
        actions.w3c_actions.pointer_action.pointer_up()
        actions.perform()
