// The console in a real browser: every page of its own list, with nothing in it and with whatever others could write, in
// light and dark, wide and narrow. Catalogue K06: none of that text runs, or is anything but text.
import type { Browser } from "playwright-core"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { PLACES } from "../../src/console/page.ts"
import {
  barriers,
  CHROMIUM,
  type Look,
  look,
  openBrowser,
  overhang,
  sayWithoutBrowser,
  show,
} from "../support/browser.ts"
import { type ConsoleHouse, openConsoleHouse } from "../support/console-house.ts"
import { openConsolePerson } from "../support/console-person.ts"
import { markup, RUNNING } from "../support/markup.ts"

const texts = markup()
/** Colours, widths and readers are all seen; which goes with which does not matter. The second finds forms to fill in. */
const SIGHTS = [
  ["light", 1280, "audit-team"],
  ["dark", 390, "operations-team"],
] as const
let browser: Browser
let empty: ConsoleHouse
let full: ConsoleHouse

test("there is a Chromium here, or it is said that its part is not tested", () => {
  if (CHROMIUM === undefined) sayWithoutBrowser("the console's pages in a browser")
  else expect(CHROMIUM).toMatch(/chrom/i)
})

describe.runIf(CHROMIUM !== undefined)("in a browser", () => {
  beforeAll(async () => {
    ;[browser, empty, full] = await Promise.all([
      openBrowser(),
      openConsoleHouse(),
      openConsoleHouse({ texts }),
    ])
  })
  afterAll(async () => {
    await browser?.close()
    await Promise.all([empty?.remove(), full?.remove()])
  })

  const withLook = async (house: ConsoleHouse, use: (one: Look) => Promise<void>, lawless = false) => {
    const one = await look(browser, { origin: house.origin, headers: await house.headers(), lawless })
    try {
      await use(one)
    } finally {
      await one.close()
    }
  }

  test("the list of pages is the console's own", async () => {
    const [few, many] = [await empty.pages(), await full.pages()]
    expect(few).toContain("/console")
    expect(many).toEqual(expect.arrayContaining(few))
    expect(few, "the menu leads nowhere else").toEqual(expect.arrayContaining(PLACES.map(({ path }) => path)))
    const approval = many.find((path) => /^\/console\/approvals\/./.test(path)) ?? ""
    const form = await (await full.house.call("GET", approval, { as: SIGHTS[1][2] })).text()
    expect(
      /<form method="post" action="\/console\/approvals/.test(form),
      "the second reader can answer",
    ).toBe(true)
  })

  test.each(["empty", "full"] as const)(
    "every page is open to everybody, %s",
    { timeout: 120_000 },
    async (which) => {
      const house = which === "empty" ? empty : full
      const found: string[] = []
      await withLook(house, async ({ page, troubles }) => {
        for (const path of [...(await house.pages()), "/console/nowhere"])
          for (const [scheme, width, as] of SIGHTS) {
            await show(page, scheme, width)
            await page.setExtraHTTPHeaders(await house.headers(as))
            await page.goto(`${house.origin}${path}`)
            const sight = `${path} ${scheme} ${width} ${as}`
            for (const { rule, where } of await barriers(page)) found.push(`${sight}: ${rule} ${where}`)
            if ((await overhang(page)) > 0) found.push(`${sight}: ${await overhang(page)} px too wide`)
          }
        expect([...found, ...troubles]).toEqual([])
      })
    },
  )

  test("the keyboard alone goes past the menu, and through all that can be done, where it is being seen", async () => {
    await withLook(full, async ({ page }) => {
      await page.setExtraHTTPHeaders(await full.headers(SIGHTS[1][2]))
      const approval = (await full.pages()).find((path) => /^\/console\/approvals\/./.test(path))
      await page.goto(`${full.origin}${approval}`)
      const press = async (key: string) => {
        await page.keyboard.press(key)
        return page.evaluate<{ name: string; inMain: boolean; seen: boolean }>(`(${FOCUS})()`)
      }
      expect(await press("Tab")).toEqual({ name: "Skip to the content", inMain: false, seen: true })
      await press("Enter")
      const reached: string[] = []
      for (let one = await press("Tab"); one.inMain; one = await press("Tab")) {
        expect(one, one.name).toMatchObject({ seen: true })
        reached.push(one.name)
      }
      expect(reached).toEqual(expect.arrayContaining(["triage-bot", "reason", "decision"]))
    })
  })

  test("K06 a browser here would tell: the same texts run where they are markup", async () => {
    await withLook(
      full,
      async ({ page, troubles }) => {
        await page.goto(`${full.origin}/console`)
        await page.setContent(`<link rel=stylesheet href=//evil.example/x.css>${RUNNING.join("")}`)
        expect(troubles.filter((one) => one === "ran: 1")).toHaveLength(RUNNING.length)
        expect(troubles.some((one) => one.startsWith("from elsewhere: "))).toBe(true)
      },
      true,
    )
  })

  test("K06 nearly six hundred of them, wherever others may write: each is text, and nothing else of the page changes", {
    timeout: 120_000,
  }, async () => {
    expect(texts.length).toBeGreaterThan(500)
    const documents = await full.documents()
    await withLook(full, async ({ page }) => {
      await page.goto(`${full.origin}/console`)
      const seen = await page.evaluate<{ odd: string[]; text: string }[]>(
        `(${READ})(${JSON.stringify(documents)})`,
      )
      expect(seen.flatMap(({ odd }) => odd)).toEqual([])
      const all = seen.map(({ text }) => text).join("\n")
      const isSeen = (text: string) => all.includes(text) || all.includes(JSON.stringify(text).slice(1, -1))
      expect(texts.filter((text) => !isSeen(text))).toEqual([])
    })
  })

  test("K06 none of it runs where the page's policy would let it, nor loads anything", {
    timeout: 120_000,
  }, async () => {
    await withLook(
      full,
      async ({ page, troubles }) => {
        for (const path of await full.pages()) await page.goto(`${full.origin}${path}`)
        expect(troubles).toEqual([])
      },
      true,
    )
  })

  test("a person signs in, answers an approval, revokes a task and signs out, by the pages' own forms", {
    timeout: 60_000,
  }, async () => {
    const person = await openConsolePerson()
    const { page, troubles, close } = await look(browser, { origin: person.origin, headers: {} })
    const seen = (text: string | RegExp) => page.locator("main").getByText(text).first().waitFor()
    try {
      const { task } = await person.ask("It is solved")
      const link = await person.link()
      await page.goto(link)
      await page.waitForURL(`${person.origin}/console`)
      await page.click("nav >> text=Approvals")
      await page.click("main h2 >> a")
      await seen("It is solved")
      await page.fill("main input[name=reason]", "Not yet")
      await page.click("text=Deny")
      await seen(/denied/i)
      await page.goto(`${person.origin}/console/tasks/${task}`)
      await page.fill("main input[name=reason]", "It went wrong")
      await page.click("main button >> text=Revoke")
      await seen(/revoked/i)
      await page.click("text=Sign out")
      await page.waitForURL(/sign-in/)
      await page.goto(`${person.origin}/console`)
      expect(page.url()).toContain("/console/sign-in")
      await page.goto(link)
      expect(await page.textContent("h1"), "a link opens once").toMatch(/not signed in/i)
      expect(troubles).toEqual([])
    } finally {
      await close()
      await person.remove()
    }
  })
})

/** In the browser: what has the focus, whether it is on the screen and marked. */
const FOCUS = `() => {
  const one = document.activeElement
  const { left, top, width, height } = one.getBoundingClientRect()
  const { outlineStyle, outlineWidth } = getComputedStyle(one)
  const isShown = left >= 0 && top >= 0 && top <= innerHeight && width > 0 && height > 0
  return {
    name: one.name || one.textContent.trim(),
    inMain: one.closest("main") !== null,
    seen: isShown && (outlineStyle !== "none" && parseFloat(outlineWidth) >= 1),
  }
}`

/** In the browser: documents read as it reads them; what of them is neither text nor ours. */
const READ = `(documents) => documents.map((document) => {
  const read = new DOMParser().parseFromString(document, "text/html")
  const odd = []
  for (const element of read.querySelectorAll("*")) {
    const name = element.localName
    if (/^(script|iframe|frame|object|embed|base|img|image|video|audio|source|math|template|xmp|plaintext|marquee|animate|use|noscript)$/.test(name)) odd.push(name)
    if (name === "meta" && element.httpEquiv && element.httpEquiv !== "Content-Security-Policy") odd.push("meta")
    for (const { name: attribute, value } of element.attributes) {
      if (/^on|^style$|^srcdoc$/.test(attribute)) odd.push(name + " " + attribute)
      if (/^(href|src|action|formaction|data|xlink:href|background)$/.test(attribute) && !/^(\\/(?!\\/)|#|\\?)/.test(value))
        odd.push(name + " " + attribute + "=" + value)
    }
  }
  return { odd, text: read.documentElement.textContent }
})`
