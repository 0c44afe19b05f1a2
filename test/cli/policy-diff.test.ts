import { execFileSync } from "node:child_process"
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, test, vi } from "vitest"
import { runCli } from "../support/command-line.ts"
import { createFolders } from "../support/folder.ts"
import { POLICIES } from "../support/policies.ts"

// Every step is a process of its own.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 })

const createFolder = createFolders()

/** A repository with the shipped policies below `deploy`, and their keys where `keys` says. */
function repository(keys = "deploy/policies/keys") {
  const root = createFolder()
  const git = (...args: string[]) =>
    execFileSync(
      "git",
      ["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false", ...args],
      { cwd: root, stdio: "pipe" },
    )
  git("init", "-q", "-b", "main")
  cpSync(POLICIES, join(root, "deploy/policies"), {
    recursive: true,
    filter: (path) => !path.endsWith(join("policies", "keys")),
  })
  cpSync(join(POLICIES, "keys"), join(root, keys), { recursive: true })
  const file = join(root, "deploy/policies/support.yaml")
  const edit = (from: string, to: string) =>
    writeFileSync(file, readFileSync(file, "utf8").replaceAll(from, to))
  const commit = () => {
    git("add", "-A")
    git("commit", "-q", "-m", "x")
  }
  return { root, edit, commit, git }
}
const diff = (cwd: string, ...args: string[]) => runCli(["policy", "diff", "--dev", ...args], { cwd })

test("a revision without a folder is of the folder that is named beside it, wherever the setting points", async () => {
  const { root, commit } = repository()
  commit()
  const env = { TASKMINT_POLICIES: POLICIES }
  for (const sides of [
    ["git:main", "deploy/policies"],
    ["deploy/policies", "git:main"],
  ]) {
    const { code, stderr } = await runCli(["policy", "diff", "--dev", ...sides], { cwd: root, env })
    expect([code, stderr]).toEqual([0, ""])
  }
  const alone = await runCli(["policy", "diff", "--dev", "git:main"], {
    cwd: root,
    env: { TASKMINT_POLICIES: "deploy/policies" },
  })
  expect([alone.code, alone.stderr]).toEqual([0, ""])
})

test("the working folder is compared with a revision, and a wider policy fails the pipeline", async () => {
  const { root, edit, commit } = repository()
  commit()
  const same = await diff(root, "git:main", "deploy/policies", "--fail-on", "any")
  expect([same.code, same.stdout]).toEqual([0, "Nobody may do more or less.\n"])
  edit("deadline: 2h", "deadline: 4h")
  const wider = await diff(root, "git:main", "deploy/policies", "--fail-on", "widening")
  expect([wider.code, wider.stdout]).toEqual([
    1,
    "Wider\n  triage-ticket may run for 4h; before: 2h  support.yaml:31\n",
  ])
  const narrower = await diff(root, "deploy/policies", "main:deploy/policies", "--fail-on", "widening")
  expect([narrower.code, narrower.stderr]).toEqual([0, ""])
  edit("[A-Z]{2,5}", "[A-Z]{2,6}")
  edit("deadline: 4h", "deadline: 2h")
  expect((await diff(join(root, "deploy"), "git:main", "policies", "--fail-on", "widening")).code).toBe(3)
  commit()
  const revisions = await diff(root, "main~1:deploy/policies", "main:deploy/policies", "--json")
  expect(JSON.parse(revisions.stdout)).toMatchObject({
    counts: { widening: 0, unknown: 2, narrowing: 0, neutral: 0 },
  })
})

test("key files beside the folder come along, and nothing is left behind", async () => {
  const { root, edit, commit } = repository("deploy/keys")
  edit("jwks: keys/", "jwks: ../keys/")
  for (const name of ["deployments.yaml", "staff.yaml"]) {
    const path = join(root, "deploy/policies", name)
    writeFileSync(path, readFileSync(path, "utf8").replaceAll("jwks: keys/", "jwks: ../keys/"))
  }
  commit()
  const TMPDIR = createFolder()
  const args = ["policy", "diff", "--dev", "git:HEAD", "deploy/policies"]
  const answer = await runCli(args, { cwd: root, env: { TMPDIR } })
  expect([answer.code, answer.stderr]).toEqual([0, ""])
  expect(readdirSync(TMPDIR)).toEqual([])
})

/** A tree as git writes it, of names that `git add` would never take. */
function writeTree(root: string, ...entries: readonly (readonly [modeAndName: string, object: string])[]) {
  const input = entries.flatMap(([name, object]) => [Buffer.from(`${name}\0`), Buffer.from(object, "hex")])
  const args = ["hash-object", "-t", "tree", "-w", "--literally", "--stdin"]
  return execFileSync("git", args, { cwd: root, input: Buffer.concat(input), encoding: "utf8" }).trim()
}

const UP = ["..", "..", "..", "..", ".."]

test.each<[string, readonly string[], string]>([
  ["above the folder", UP, "written.yaml"],
  ["above the folder, to a key file", UP, "written.json"],
  ["to where it stands", ["."], "written.yaml"],
  ["above the folder where a backslash does", [], "..\\..\\..\\..\\written.yaml"],
])("a name of a revision that leads %s is refused, and nothing is written", async (_, folders, file) => {
  const { root, commit, git } = repository()
  commit()
  const parsed = (name: string) => git("rev-parse", name).toString().trim()
  const blob = parsed("HEAD:deploy/policies/support.yaml")
  const leaf: readonly [string, string] = [`100644 ${file}`, blob]
  const [name, object] = folders.reduce(
    (below, folder): readonly [string, string] => [`40000 ${folder}`, writeTree(root, below)],
    leaf,
  )
  const policies = writeTree(root, [name, object], ["100644 support.yaml", blob])
  const top = writeTree(root, ["40000 deploy", writeTree(root, ["40000 policies", policies])])
  const revision = git("commit-tree", "-m", "x", top).toString().trim()
  const above = createFolder()
  const TMPDIR = join(above, "a/b")
  mkdirSync(TMPDIR, { recursive: true })
  const args = ["policy", "diff", "--dev", `${revision}:deploy/policies`, "deploy/policies"]
  const answer = await runCli(args, { cwd: root, env: { TMPDIR } })
  expect(readdirSync(above, { recursive: true })).toEqual(["a", join("a", "b")])
  expect([answer.code, answer.stdout]).toEqual([3, ""])
  expect(answer.stderr).toContain("has a name that leads elsewhere")
})

test("of a revision links and submodules are left out", async () => {
  const { root, commit, git } = repository()
  const elsewhere = createFolder()
  writeFileSync(join(elsewhere, "none.yaml"), "nonsense: true\n")
  symlinkSync(join(elsewhere, "none.yaml"), join(root, "deploy/policies/link.yaml"))
  symlinkSync(elsewhere, join(root, "deploy/policies/linked"))
  git("add", "-A")
  git("update-index", "--add", "--cacheinfo", `160000,${"1".repeat(40)},deploy/policies/sub.yaml`)
  git("commit", "-q", "-m", "links")
  const linked = git("rev-parse", "HEAD").toString().trim()
  for (const name of ["link.yaml", "linked"]) rmSync(join(root, "deploy/policies", name))
  commit()
  const answer = await diff(root, `${linked}:deploy/policies`, "deploy/policies", "--fail-on", "any")
  expect([answer.code, answer.stdout]).toEqual([0, "Nobody may do more or less.\n"])
})

test("key files beside a repository's root are not taken from where it is unpacked", async () => {
  const { root, commit, git } = repository("deploy/keys")
  const policies = join(root, "deploy/policies")
  for (const name of readdirSync(policies).filter((one) => one.endsWith(".yaml"))) {
    const path = join(policies, name)
    writeFileSync(path, readFileSync(path, "utf8").replaceAll("jwks: keys/", "jwks: ../keys/"))
  }
  commit()
  const tree = git("rev-parse", "HEAD:deploy/policies").toString().trim()
  const revision = git("commit-tree", "-m", "x", tree).toString().trim()
  const TMPDIR = createFolder()
  cpSync(join(POLICIES, "keys"), join(TMPDIR, "keys"), { recursive: true })
  const args = ["policy", "diff", "--dev", `${revision}:.`, "deploy/policies"]
  const answer = await runCli(args, { cwd: root, env: { TMPDIR } })
  expect([answer.code, answer.stderr]).toEqual([1, expect.stringContaining("is no policy")])
})

test("for a pull request it is Markdown in which nothing of the policy is markup", async () => {
  const { root, edit, commit } = repository()
  commit()
  edit('"tickets/{ticket}/**"', '"*/{ticket}/**"')
  const { stdout } = await diff(root, "git:main", "deploy/policies", "--markdown")
  expect(stdout).toContain("### Policy: 1 widening\n")
  expect(stdout).toContain("may now tickets:read on \\*/\\{ticket\\}/\\*\\* of tickets")
})

test.each([
  [["git:main", "deploy/policies"], 3, "git: there is no revision main"],
  [["git:--output=x", "deploy/policies"], 2, "--output=x can't be a revision"],
  [["git:main:../elsewhere", "deploy/policies"], 2, "../elsewhere is not in the repository"],
  [["nowhere", "deploy/policies"], 2, "nowhere is no folder"],
  [["git:main"], 2, "TASKMINT_POLICIES is not set"],
])("what can't be compared is said: %j", async (args, code, said) => {
  const { root } = repository()
  const answer = await diff(root, ...args)
  expect(answer.stderr).toContain(said)
  expect(answer.code).toBe(code)
})

test("outside of a repository, and where a side is no policy, it says so", async () => {
  const folder = createFolder()
  mkdirSync(join(folder, "policies"))
  const outside = await runCli(["policy", "diff", "git:main", "policies"], {
    cwd: folder,
    env: { GIT_CEILING_DIRECTORIES: tmpdir() },
  })
  expect([outside.code, outside.stderr]).toEqual([3, "error: git: this is no git repository\n"])
  const none = await runCli(["policy", "diff", "policies", "policies"], { cwd: folder })
  expect([none.code, none.stderr]).toMatchObject([
    1,
    expect.stringContaining("policies is no policy: .:1:1: expected at least one *.yaml file"),
  ])
})
