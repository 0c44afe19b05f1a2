// A real Chromium for the console's pages: started once, on loopback, ended by who started it. It decides how a page is
// looked at; what must hold of what is seen is the test's to say.
import { existsSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { type Browser, chromium, type Page } from "playwright-core"

const PLACES = [process.env.CHROMIUM_PATH, "/usr/bin/chromium", "/usr/bin/chromium-browser"]

/** Where Chromium is: as CHROMIUM_PATH says, else where Debian puts it; undefined where there is none. */
export const CHROMIUM = PLACES.find((path) => path !== undefined && path !== "" && existsSync(path))

export function sayWithoutBrowser(what: string): void {
  console.warn(
    `NOT TESTED HERE: ${what} (no Chromium at ${PLACES.filter((path) => path).join(" or ")}). ` +
      "Install Debian's chromium, or set CHROMIUM_PATH.",
  )
}

const AXE = readFileSync(fileURLToPath(import.meta.resolve("axe-core/axe.min.js")), "utf8")

export interface Finding {
  readonly rule: string
  readonly impact: string
  readonly where: string
}

/** A page, and what a person would not see: what was loaded from elsewhere, refused by its policy, told in the console, run. */
export interface Look {
  readonly page: Page
  readonly troubles: string[]
  close(): Promise<void>
}

export interface LookOptions {
  /** Where all that is loaded must come from. */
  readonly origin: string
  /** Sent with each request. */
  readonly headers: Readonly<Record<string, string>>
  /** Lets run what the page's policy forbids. Default false. */
  readonly lawless?: boolean
}

export async function openBrowser(): Promise<Browser> {
  return chromium.launch({
    ...(CHROMIUM !== undefined && { executablePath: CHROMIUM }),
    // Names lead nowhere: whatever a page would load from elsewhere is asked for, seen and not found.
    args: [
      "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
      ...(process.getuid?.() === 0 ? ["--no-sandbox"] : []),
    ],
    handleSIGINT: false,
    handleSIGTERM: false,
    handleSIGHUP: false,
  })
}

export async function look(browser: Browser, options: LookOptions): Promise<Look> {
  const context = await browser.newContext({
    extraHTTPHeaders: options.headers,
    bypassCSP: options.lawless === true,
    reducedMotion: "reduce",
  })
  const page = await context.newPage()
  const troubles: string[] = []
  page.on("dialog", (dialog) => {
    troubles.push(`ran: ${dialog.message()}`)
    void dialog.dismiss()
  })
  page.on("request", (request) => {
    if (!request.url().startsWith(`${options.origin}/`)) troubles.push(`from elsewhere: ${request.url()}`)
  })
  page.on("pageerror", (error) => troubles.push(`error: ${error.message}`))
  page.on("console", (message) => {
    const { url } = message.location()
    // A refusal is a page, too; and a browser asks by itself for the mark of a page that names none.
    const isExpected =
      /^Failed to load/.test(message.text()) && [page.url(), `${options.origin}/favicon.ico`].includes(url)
    if (!isExpected && /^(error|warning)$/.test(message.type()))
      troubles.push(`console: ${message.text()} ${url}`)
  })
  return { page, troubles, close: () => context.close() }
}

/** Light or dark, wide or narrow. */
export async function show(page: Page, scheme: "light" | "dark", width: number): Promise<void> {
  await page.emulateMedia({ colorScheme: scheme })
  await page.setViewportSize({ width, height: 900 })
}

/** How many pixels the page is wider than its window; on a phone, the widest of its tables than its place, too. */
export const overhang = (page: Page): Promise<number> =>
  page.evaluate(`(() => {
    const shown = innerWidth > 640 ? [] : [...document.querySelectorAll(".scroll")]
    return Math.max(...[document.documentElement, ...shown].map((one) => one.scrollWidth - one.clientWidth))
  })()`)

/** What an accessibility checker finds serious or critical. It knows WCAG 2.2 at level AA, and its own best practices. */
export async function barriers(page: Page): Promise<Finding[]> {
  await page.evaluate(`window.axe || (() => { ${AXE} })()`)
  const found = (await page.evaluate(`axe.run(document, { resultTypes: ["violations"] })`)) as {
    violations: { id: string; impact: string | null; nodes: { html: string }[] }[]
  }
  return found.violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id, impact, nodes }) => ({ rule: id, impact: String(impact), where: nodes[0]?.html ?? "" }))
}
