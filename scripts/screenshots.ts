// npm run screenshots [-- <folder>]: every page of the console as a picture, with nothing in it and with a day's work, in light
// and dark, wide and narrow, for people to look at. The pages are those of the console's own list, so a new one is among them.
// Folder: ./screenshots, made anew. Exit code 3 where there is no Chromium.
import { mkdirSync, rmSync } from "node:fs"
import { join } from "node:path"
import type { Browser } from "playwright-core"
import { CHROMIUM, look, openBrowser, sayWithoutBrowser, show } from "../test/support/browser.ts"
import { type ConsoleHouse, openConsoleHouse } from "../test/support/console-house.ts"

const folder = process.argv[2] ?? "screenshots"
/** What agents and orchestrators write, as a rule. */
const TEXTS = [
  "Triage the ticket and answer the customer",
  "run-2026-03-01-0917",
  "The customer confirmed that signing in works again",
  "solved",
  "Summarise what was tried for the night shift",
  "run-2026-03-01-0918",
  "Nothing was heard for fourteen days",
  "no-answer",
  "Find out which release broke the export, and say so in a comment",
  "run-2026-03-01-0923",
  "A duplicate of SUP-1007",
  "duplicate",
]
const SIGHTS = [
  ["light", 1280],
  ["light", 390],
  ["dark", 1280],
  ["dark", 390],
] as const

async function take(browser: Browser, which: string, house: ConsoleHouse): Promise<number> {
  // Who operates has the forms, too.
  const { page, close } = await look(browser, {
    origin: house.origin,
    headers: await house.headers("operations-team"),
  })
  const pages = [...(await house.pages()), "/console/nowhere"]
  for (const path of pages) {
    await page.goto(`${house.origin}${path}`)
    const name = path
      .slice(1)
      .replace(/_[0-9a-f-]{36}/g, "")
      .replaceAll("/", "-")
    for (const [scheme, width] of SIGHTS) {
      await show(page, scheme, width)
      await page.screenshot({ path: join(folder, `${name}-${which}-${scheme}-${width}.png`), fullPage: true })
    }
  }
  await close()
  return pages.length * SIGHTS.length
}

if (CHROMIUM === undefined) {
  sayWithoutBrowser("the console's pages as pictures")
  process.exitCode = 3
} else {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  const [browser, empty, full] = await Promise.all([
    openBrowser(),
    openConsoleHouse(),
    openConsoleHouse({ texts: TEXTS, tasks: 40, parameters: 1 }),
  ])
  try {
    const taken = (await take(browser, "empty", empty)) + (await take(browser, "full", full))
    console.log(`${taken} pictures in ${folder}/`)
  } finally {
    await browser.close()
    await Promise.all([empty.remove(), full.remove()])
  }
}
