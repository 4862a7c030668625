"""The page in a real browser, while a program uses the sandbox."""

import math
import re
from typing import Any

import pytest
import requests
from playwright.sync_api import Browser, Page, expect
from support.browsers import accessibility_faults
from support.programs import run_program

from tingting_async import ApiError, OutcomeUnknownError, TingTing as Classic
from tingting_async.sandbox import Sandbox
from tingting_async.v1 import Services, TingTing

NUMBER = "9800000001"
PHONE = {"width": 360, "height": 740}


def send_otp(sandbox: Sandbox, number: str = NUMBER) -> None:
    """Send a one-time password, as a program does."""

    async def program() -> None:
        async with TingTing(base_url=sandbox.url, api_token=sandbox.api_token) as tingting:
            await tingting.otp.send(number, "Your code is {otp}", channel="text")

    run_program(program)


def run_campaign(sandbox: Sandbox, name: str = "Reminder") -> int:
    """Run a campaign that texts two people and one that calls them; return the id of the first."""

    async def program() -> int:
        async with TingTing(base_url=sandbox.url, api_token=sandbox.api_token) as tingting:
            campaign = await tingting.campaigns.create(name, Services.SMS, sms_message="नमस्ते {name}!")
            await tingting.contacts.add(campaign.id, "9841000001", variables={"name": "सीता"})
            await tingting.contacts.add(campaign.id, "9841000002", variables={"name": "<b>Ram</b>"})
            await tingting.campaigns.run(campaign.id)
        async with Classic(base_url=sandbox.url, api_token=sandbox.api_token) as classic:
            called = await classic.campaigns.create("Calls", "PHONE", numbers=["9841000003"])
            await classic.campaigns.run(called.id, message="कल")
        return campaign.id

    return run_program(program)


def rows(page: Page) -> Any:
    """Return the locator of the inbox's rows."""
    return page.locator("#messages tbody tr")


def test_rows_appear_without_a_reload(sandbox: Sandbox, open_page: Any) -> None:
    """Whom a program reaches while the page is open appears, with the text as that person reads or hears it."""
    page = open_page()
    expect(page.locator("#connection")).to_have_text("Live")
    page.evaluate("window.isSame = true")
    send_otp(sandbox)
    code = sandbox.world.otps[-1].otp
    expect(rows(page)).to_have_count(1)
    expect(rows(page).first).to_contain_text(f"Your code is {code}")
    expect(rows(page).first).to_contain_text(NUMBER)
    expect(rows(page).first).to_contain_text("1 SMS part")
    expect(rows(page).first.get_by_text("OTP", exact=True)).to_be_visible()
    sandbox.clock.speed = math.inf
    run_campaign(sandbox)
    expect(rows(page)).to_have_count(4)
    greeting = page.locator("[lang=ne]", has_text="नमस्ते सीता!")
    expect(greeting).to_be_visible()
    expect(rows(page).filter(has_text="नमस्ते <b>Ram</b>!")).to_have_count(1)
    expect(page.locator("#messages audio")).to_have_count(1)
    finished = page.locator("#campaigns li", has_text="Reminder")
    expect(finished).to_contain_text("2 of 2")
    expect(finished).to_contain_text("sent 2")
    expect(page.locator("#requests")).to_contain_text("POST /api/v1/auths/send/otp/")
    assert page.evaluate("window.isSame") is True
    assert page.title().startswith("4 messages")


def test_audio_plays(sandbox: Sandbox, open_page: Any) -> None:
    """What a called person hears can be played, and plays on while rows appear around it."""
    run_campaign(sandbox)
    sandbox.run_to_end()
    page = open_page()
    audio = page.locator("#messages audio").first
    # It may end by itself: only a pause before its end counts.
    audio.evaluate("(each) => { each.isCut = false; each.onpause = () => { each.isCut ||= !each.ended; }; }")
    assert audio.evaluate("async (each) => { await each.play(); return each.duration; }") > 0
    send_otp(sandbox)
    expect(rows(page)).to_have_count(4)
    assert audio.evaluate("(each) => each.isCut") is False


def test_focus_selection_and_open_details_stay(sandbox: Sandbox, open_page: Any) -> None:
    """An update leaves the focus, a half-typed search, selected text and opened details as they are."""
    long = "x" * 500
    sandbox.world.inbox.add("sms", "otp", "9800000009", sandbox.clock.now(), long)
    page = open_page()
    page.locator("summary").first.click()
    page.locator("#messages .number").first.evaluate("(each) => getSelection().selectAllChildren(each)")
    page.get_by_label("Number").fill("98000")
    send_otp(sandbox)
    expect(rows(page)).to_have_count(2)
    assert "number" == page.evaluate("document.activeElement.name")
    assert "98000" == page.get_by_label("Number").input_value()
    expect(page.locator("details", has_text="xxx")).to_have_attribute("open", "")


@pytest.mark.parametrize("scripts", [True, False])
def test_search(sandbox: Sandbox, open_page: Any, scripts: bool) -> None:
    """The inbox is searched by number and channel, and the search can be cleared; with and without scripts."""
    send_otp(sandbox)
    run_campaign(sandbox)
    sandbox.run_to_end()
    page = open_page(java_script_enabled=scripts)
    expect(rows(page)).to_have_count(4)
    page.get_by_label("Number").fill("+977 980-0000001")
    page.get_by_label("Number").press("Enter")
    expect(rows(page)).to_have_count(1)
    expect(rows(page)).to_contain_text(NUMBER)
    expect(page.get_by_label("Number")).to_have_value("+977 980-0000001")
    page.get_by_label("Channel").select_option("Calls")
    page.get_by_role("button", name="Search").click()
    expect(page.locator("#messages")).to_contain_text("No message matches")
    page.get_by_role("link", name="Clear").click()
    expect(rows(page)).to_have_count(4)


def status_of(sandbox: Sandbox) -> int:
    """Return the status of a request that reads the profile."""
    headers = {"Authorization": f"Bearer {sandbox.tokens.issue(sandbox.world.owner, 'access')}"}
    return requests.get(f"{sandbox.url}/api/accounts/user_details/", headers=headers, timeout=20).status_code


@pytest.mark.parametrize("scripts", [True, False])
def test_buttons(sandbox: Sandbox, open_page: Any, scripts: bool) -> None:
    """Each button does what it says, with and without scripts."""
    page = open_page("/?number=98", java_script_enabled=scripts)

    def press(name: str) -> None:
        with page.expect_response(lambda response: "/actions/" in response.url):
            page.get_by_role("button", name=name, exact=True).first.click()
        if scripts:
            expect(page.locator("#notice")).not_to_be_empty()

    for name, seconds in (("+1 minute", 60), ("+1 hour", 3600)):
        before = sandbox.clock.now()
        press(name)
        assert seconds <= sandbox.clock.now() - before < seconds + 60
    for name, speed in (
        ("60\N{MULTIPLICATION SIGN}", 60),
        ("As fast as it goes", math.inf),
        ("1\N{MULTIPLICATION SIGN}", 1),
    ):
        press(name)
        expect(page.get_by_role("button", name=name)).to_have_attribute("aria-pressed", "true")
        assert speed == sandbox.clock.speed

    press("Lose the next response")
    expect(page.locator("#faults")).to_contain_text("reset_after")
    with pytest.raises(OutcomeUnknownError):
        send_otp(sandbox)
    assert 1 == len(sandbox.inbox)
    press("Refuse the next request")
    with pytest.raises(ApiError):
        send_otp(sandbox)
    assert 1 == len(sandbox.inbox)
    assert 200 == status_of(sandbox)
    if not scripts:
        page.reload()
    expect(page.locator("#faults")).to_contain_text("0 waiting")
    expect(page.locator("#faults table")).to_contain_text("POST /api/v1/auths/send/otp/")
    press("Refuse the next request")
    page.get_by_role("button", name="Remove").focus()
    press("Remove")
    expect(page.locator("#faults")).to_contain_text("0 waiting")
    assert 200 == status_of(sandbox)

    for name, kind in (("Expire tokens", "access"), ("Revoke refresh tokens", "refresh")):
        token = sandbox.tokens.issue(sandbox.world.owner, kind)
        press(name)
        assert sandbox.tokens.account(token, kind) is None
    press("Start over")
    expect(rows(page)).to_have_count(0)
    assert 0 == len(sandbox.inbox)
    assert "number=98" in page.url


def filled(sandbox: Sandbox) -> None:
    """Bring about everything that the page can show."""
    send_otp(sandbox)
    run_campaign(sandbox)
    sandbox.run_to_end()
    sandbox.world.inbox.add("sms", "otp", "9800000009", sandbox.clock.now(), "long " * 100)
    page = f"{sandbox.url}/actions"
    for action in ("lose-next-response", "refuse-next-request"):
        requests.post(f"{page}/{action}", timeout=20)
    with pytest.raises(OutcomeUnknownError):
        send_otp(sandbox)


def test_accessibility(sandbox: Sandbox, open_page: Any) -> None:
    """The rules of axe find no fault, on a wide and light page and on a narrow and dark one.

    On a phone, nothing sticks out of the window, every button is big enough for a thumb, and the cards are still the
    rows of a table.
    """
    filled(sandbox)
    page = open_page(viewport={"width": 1440, "height": 900})
    expect(page.locator("#connection")).to_have_text("Live")
    assert [] == accessibility_faults(page)
    page = open_page(viewport=PHONE, has_touch=True, is_mobile=True, color_scheme="dark")
    assert [] == accessibility_faults(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    heights = page.locator("button:visible").evaluate_all("(all) => all.map((each) => each.offsetHeight)")
    assert min(heights) >= 44
    expect(page.get_by_role("main")).to_have_count(1)
    names = page.get_by_role("heading", level=2).all_inner_texts()
    assert ["Clock and faults", "Inbox", "Connect", "Campaigns", "Faults", "Requests"] == names
    expect(page.get_by_role("table", name="Calls and texts, newest first")).to_have_count(1)
    expect(page.get_by_role("row", name=re.compile(NUMBER)).first).to_be_visible()


def test_keyboard(sandbox: Sandbox, open_page: Any) -> None:
    """The keyboard reaches the inbox with the first link, and presses a button that keeps the focus."""
    page = open_page()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the inbox")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_label("Number")).to_be_focused()
    button = page.get_by_role("button", name="+1 hour")
    button.focus()
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
    before = sandbox.clock.now()
    page.keyboard.press("Enter")
    expect(page.locator("#notice")).to_have_text("The clock moved forward by an hour.")
    assert sandbox.clock.now() - before >= 3600
    expect(button).to_be_focused()


def test_nepali_font(sandbox: Sandbox, open_page: Any) -> None:
    """Nepali text is set in a Devanagari font."""
    run_campaign(sandbox)
    sandbox.run_to_end()
    page = open_page()
    devtools = page.context.new_cdp_session(page)
    devtools.send("DOM.enable")
    devtools.send("CSS.enable")
    root = devtools.send("DOM.getDocument")["root"]["nodeId"]
    node = devtools.send("DOM.querySelector", {"nodeId": root, "selector": "#messages [lang=ne]"})["nodeId"]
    fonts = devtools.send("CSS.getPlatformFontsForNode", {"nodeId": node})["fonts"]
    assert any("Devanagari" in font["familyName"] for font in fonts), fonts


def test_copy(sandbox: Sandbox, open_page: Any) -> None:
    """The lines to export and each credential are copied with a button."""
    page = open_page(permissions=["clipboard-read", "clipboard-write"])
    for name, expected in (
        ("Copy the API token", sandbox.api_token),
        ("Copy the lines", f"export TINGTING_BASE_URL={sandbox.url}\n"),
    ):
        page.get_by_role("button", name=name).click()
        expect(page.locator("#notice")).to_have_text("Copied.")
        assert expected in page.evaluate("navigator.clipboard.readText()")


def test_restart(browser: Browser) -> None:
    """If the sandbox stops, the page says so; once it serves again, the page shows the new one's messages."""
    page = browser.new_page()
    with Sandbox(campaigns=0).in_thread() as first:
        page.goto(first.url)
        expect(page.locator("#connection")).to_have_text("Live")
    expect(page.locator("#connection")).to_have_text("Not connected")
    with Sandbox(campaigns=0, port=int(first.url.rpartition(":")[2])).in_thread() as second:
        second.world.inbox.add("sms", "otp", NUMBER, second.clock.now(), "Hello")
        expect(page.locator("#connection")).to_have_text("Live", timeout=20_000)
        expect(rows(page)).to_have_count(1)
    page.close()


def test_many_tabs(sandbox: Sandbox, open_page: Any) -> None:
    """More tabs than a browser opens connections to a host are all live, and their buttons work."""
    tabs = [open_page()]
    for _ in range(6):
        tabs.append(tabs[0].context.new_page())
        tabs[-1].goto(sandbox.url)
    send_otp(sandbox)
    for page in tabs:
        expect(page.locator("#connection")).to_have_text("Live")
        expect(rows(page)).to_have_count(1)
    tabs[0].get_by_role("button", name="+1 hour").click()
    expect(tabs[0].locator("#notice")).to_have_text("The clock moved forward by an hour.")
    tabs[0].close()  # It had the stream, and another one gets it.
    send_otp(sandbox)
    for page in tabs[1:]:
        expect(rows(page)).to_have_count(2)


def turn(page: Page, hidden: bool) -> None:
    """Let a page believe that its tab is hidden or shown. A Chromium without a window never hides a tab."""
    page.evaluate(
        "(hidden) => { Object.defineProperty(document, 'hidden', { value: hidden, configurable: true });"
        "document.dispatchEvent(new Event('visibilitychange')); }",
        hidden,
    )


def test_hidden_tab(sandbox: Sandbox, open_page: Any) -> None:
    """A hidden tab keeps no connection open. Shown again, it shows what happened meanwhile, and is live."""
    page = open_page()
    expect(page.locator("#connection")).to_have_text("Live")
    with page.expect_event("requestfailed", lambda request: request.url.endswith("/events")):
        turn(page, hidden=True)
    send_otp(sandbox)
    turn(page, hidden=False)
    expect(rows(page)).to_have_count(1)
    send_otp(sandbox)
    expect(rows(page)).to_have_count(2)
    expect(page.locator("#connection")).to_have_text("Live")


def test_failed_update(sandbox: Sandbox, browser: Browser) -> None:
    """If the page cannot be fetched, it says so instead of "Live", and recovers by itself."""
    page = browser.new_page()
    page.goto(sandbox.url)
    expect(page.locator("#connection")).to_have_text("Live")
    page.route(sandbox.url + "/", lambda route: route.fulfill(status=500, body="500 Internal Server Error"))
    send_otp(sandbox)
    expect(page.locator("#connection")).to_have_text("Update failed")
    expect(page.locator("#connection")).not_to_have_class(re.compile("live"))
    expect(page.locator("#notice")).to_have_text("The page could not be updated. It tries again.")
    page.unroute(sandbox.url + "/")
    expect(page.locator("#connection")).to_have_text("Live", timeout=10_000)
    expect(rows(page)).to_have_count(1)
    page.close()


FOREIGN = """
<form method="post" action="{url}/actions/advance"><input name="seconds" value="3600"><button>Advance</button></form>
<form method="post" action="{url}/actions/start-over"><button>Start over</button></form>
"""


def test_foreign_form(sandbox: Sandbox, browser: Browser) -> None:
    """A form on another origin that posts to the sandbox changes nothing, and cannot read the page."""
    send_otp(sandbox)
    page = browser.new_page()
    html = FOREIGN.format(url=sandbox.url)
    page.route("http://foreign.example/", lambda route: route.fulfill(body=html, content_type="text/html"))
    before = sandbox.clock.now()
    for button in ("Advance", "Start over"):
        page.goto("http://foreign.example/")
        with page.expect_navigation() as navigation:
            page.get_by_role("button", name=button).click()
        assert 403 == navigation.value.status
    assert (1, True) == (len(sandbox.inbox), sandbox.clock.now() - before < 3600)
    page.goto("http://foreign.example/")
    read = "url => fetch(url).then((response) => response.text(), () => 'refused')"
    assert "refused" == page.evaluate(read, sandbox.url)
    page.close()
