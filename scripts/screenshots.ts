// npm run screenshots [-- <folder>]: every page of the console as a picture, with nothing in it, with a day's work and with texts
// that would be markup, in light and dark, wide and narrow, for people to look at. The pages are those of the console's own list,
// so a new one is among them, and those that stand alone. Folder: ./screenshots, made anew. Exit code 3 where there is no Chromium.
import { mkdirSync, rmSync } from "node:fs"
import { join } from "node:path"
import type { Browser, Page } from "playwright-core"
import { refusedPage } from "../src/console/refused-page.ts"
import { onwardPage, signInPage } from "../src/console/sign-in-page.ts"
import { CHROMIUM, look, openBrowser, sayWithoutBrowser, show } from "../test/support/browser.ts"
import { DAY, fillDay } from "../test/support/console-day.ts"
import { type ConsoleHouse, openConsoleHouse, serveConsole } from "../test/support/console-house.ts"
import { openHouse } from "../test/support/issuer-house.ts"
import { markup } from "../test/support/markup.ts"

const folder = process.argv[2] ?? "screenshots"
const SIGHTS = [
  ["light", 1280],
  ["light", 390],
  ["dark", 1280],
  ["dark", 390],
] as const

/** Other views of pages, by address. */
const VIEWS = ["/console/approvals?shows=decided", "/console/integrity?shows=all", "/console/nowhere"]

const refusal = { requestId: "01a22284-a649-731b-898e-bf453a9b644e", expected: [] }
const onward = { href: "/console", text: "To the overview" }
const signIn = { provider: "people", href: "/console/sign-in/start" }
/** Pages that one is shown instead of others. */
const ALONE: Readonly<Record<string, string>> = {
  "sign-in": signInPage({ ...signIn, again: false }),
  "sign-in-by-link": signInPage({ ...signIn, again: false, session: "/console" }),
  "sign-in-again": signInPage({ ...signIn, again: true }),
  "signed-in": onwardPage("/console", "people/lea@example.com"),
  "refused-role": refusedPage({
    ...{ title: "Your role does not reach so far", code: "role_missing", ...refusal, onward },
    next: "Go back, or start again from the overview.",
  }),
  "refused-fault": refusedPage({
    ...{ title: "Something failed here", code: "internal_error", ...refusal, onward },
    next: "Nothing is lost. Load the page again in a moment.",
    expected: ["/query/from an instant as in RFC 3339"],
  }),
}

async function picture(page: Page, name: string): Promise<number> {
  for (const [scheme, width] of SIGHTS) {
    await show(page, scheme, width)
    await page.screenshot({ path: join(folder, `${name}-${scheme}-${width}.png`), fullPage: true })
  }
  return SIGHTS.length
}

async function take(
  browser: Browser,
  which: string,
  house: ConsoleHouse,
  alone: typeof ALONE = {},
): Promise<number> {
  // Who operates, audits and approves has every form, too.
  const { page, close } = await look(browser, {
    origin: house.origin,
    headers: await house.headers("operations-team"),
  })
  let taken = 0
  for (const path of [...(await house.pages()), ...VIEWS]) {
    await page.goto(`${house.origin}${path}`)
    const name = path
      .slice(1)
      .replace(/_[0-9a-f-]{36}/g, "")
      .replace(/[/?=]/g, "-")
    taken += await picture(page, `${name}-${which}`)
  }
  for (const [name, document] of Object.entries(alone)) {
    await page.setContent(document, { waitUntil: "load" })
    taken += await picture(page, name)
  }
  await close()
  return taken
}

async function openDay(): Promise<ConsoleHouse> {
  const house = await openHouse(DAY)
  const day = await fillDay(house)
  return serveConsole(house, { agents: ["triage-bot"], ledger: ["1", "40"], ...day })
}

if (CHROMIUM === undefined) {
  sayWithoutBrowser("the console's pages as pictures")
  process.exitCode = 3
} else {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  const [browser, empty, full, hostile] = await Promise.all([
    openBrowser(),
    openConsoleHouse(),
    openDay(),
    openConsoleHouse({ texts: markup() }),
  ])
  try {
    let taken = await take(browser, "empty", empty, ALONE)
    taken += await take(browser, "full", full)
    taken += await take(browser, "hostile", hostile)
    console.log(`${taken} pictures in ${folder}/`)
  } finally {
    await browser.close()
    await Promise.all([empty.remove(), full.remove(), hostile.remove()])
  }
}
