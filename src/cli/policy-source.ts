// Where a policy comes from that a command is given: a folder, or a folder as a git revision has it. Of a revision the files
// are read out of the repository into a folder of their own, which is removed again; nothing is checked out and no hook runs.
import { execFile } from "node:child_process"
import { mkdir, mkdtemp, rm, stat, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { dirname, join, posix, resolve, sep } from "node:path"
import { promisify } from "node:util"
import { formatFault, PolicyFaults } from "../policy/fault.ts"
import { loadPolicy } from "../policy/load.ts"
import type { Policy } from "../policy/policy.ts"
import type { Context } from "./context.ts"
import { answerIsNo, cannotTell, wrongUse } from "./exit.ts"
import { readingOf } from "./policy-folder.ts"

export interface SourceOptions {
  readonly dev?: boolean
  /** The folder within a revision that names none: `git:main`. */
  readonly folder?: string | undefined
}

/** A policy, and what it is called in answers. */
export interface Source {
  readonly name: string
  readonly policy: Policy
}

const MOST_BYTES = 64 * 1024 * 1024
const MOST_FILES = 5000

/**
 * `policies`: a folder. `git:main`: the policy folder as it is in a revision. `main:deploy/policies`: a folder of a
 * revision. Stop where there is none, or where it is no policy.
 */
export async function openSource(context: Context, text: string, options: SourceOptions): Promise<Source> {
  if (await isFolder(text)) return { name: text, policy: await load(context, text, text, options) }
  const revision = revisionOf(text, options.folder)
  if (!revision)
    throw wrongUse(`${text} is no folder`, "Give a folder, git:<revision>, or <revision>:<folder>")
  const folder = await mkdtemp(join(tmpdir(), "taskmint-revision-"))
  try {
    // A folder down, so that what its root calls `../keys` is not sought among other programs' files.
    const within = await extract(revision, join(folder, "revision"))
    return { name: text, policy: await load(context, within, text, options) }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function isFolder(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined)
  return found?.isDirectory() ?? false
}

async function load(context: Context, folder: string, name: string, options: SourceOptions): Promise<Policy> {
  const read = await context.terminal.progress(
    `reading ${name}`,
    loadPolicy(folder, readingOf(context, options)),
  )
  if (!(read instanceof PolicyFaults)) return read
  const [first] = read.faults
  throw answerIsNo(
    `${name} is no policy: ${first ? formatFault(first) : "it can't be read"}`,
    read.faults.length > 1 ? `and ${read.faults.length - 1} more; \`policy check\` tells all` : undefined,
  )
}

interface Revision {
  readonly revision: string
  /** Relative to where the command runs, in the spelling of the system. */
  readonly folder: string
}

function revisionOf(text: string, folder: string | undefined): Revision | undefined {
  const at = text.indexOf(":")
  if (at < 1) return undefined
  if (!text.startsWith("git:")) return { revision: text.slice(0, at), folder: text.slice(at + 1) || "." }
  const [revision = "", within] = splitOnce(text.slice(4))
  const meant = within ?? folder
  if (revision === "") throw wrongUse(`${text} names no revision`, "As in git:main")
  if (meant === undefined)
    throw wrongUse(
      `${text} names no folder`,
      "Write git:main:policies, or set TASKMINT_POLICIES to the folder",
    )
  return { revision, folder: meant }
}

const splitOnce = (text: string): readonly string[] => {
  const at = text.indexOf(":")
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)]
}

/** Writes the folder of a revision, and the key files beside it, into `to`. Answers where the policy folder is then. */
async function extract({ revision, folder }: Revision, to: string): Promise<string> {
  // A folder that is there says itself which repository it is in; one that is gone is meant from here.
  const there = await isFolder(folder)
  const git = gitIn(there ? folder : ".")
  const prefix = (await git(["rev-parse", "--show-prefix"], "this is no git repository")).trim()
  const joined = there ? prefix : posix.join(prefix, folder.replaceAll("\\", "/"))
  const path = posix.normalize(joined || ".").replace(/(.)\/$/, "$1")
  if (path.startsWith("..") || posix.isAbsolute(path))
    throw wrongUse(`${folder} is not in the repository`, "Give the folder as it is called from here")
  const commit = await commitOf(git, revision)
  const files = await listFiles(git, commit, path)
  if (files.length === 0)
    throw cannotTell(`${revision} has no ${path}`, "Give the folder as it was called then")
  const places = files.map((name) => placeIn(to, name, revision))
  const names = files.map((name) => `${commit}:${name}\n`).join("")
  const blobs = splitBlobs(await git(["cat-file", "--batch"], "the revision can't be read", names))
  for (const [index, place] of places.entries()) {
    await mkdir(dirname(place), { recursive: true })
    await writeFile(place, blobs[index] ?? "", { encoding: "latin1", mode: 0o600 })
  }
  return join(to, path)
}

/** Where a file of a revision goes. A tree may hold any name, `..` too, and a clone takes it: stop unless it is below `to`. */
function placeIn(to: string, name: string, revision: string): string {
  const place = resolve(to, name)
  const isPlain = name.split("/").every((segment) => !["", ".", ".."].includes(segment))
  if (!isPlain || name.includes("\\") || name.includes("\0") || !place.startsWith(`${resolve(to)}${sep}`))
    throw cannotTell(
      `${revision} has a name that leads elsewhere: ${name}`,
      "Look at who wrote that revision",
    )
  return place
}

/** What `cat-file --batch` answers: of each a line that ends with its size, its bytes, a line break. */
function splitBlobs(answer: string): string[] {
  const blobs: string[] = []
  for (let at = 0; at < answer.length; ) {
    const begin = answer.indexOf("\n", at) + 1
    const size = Number(/ blob (\d+)$/.exec(answer.slice(at, begin - 1))?.[1])
    if (!Number.isSafeInteger(size)) throw cannotTell("git answered with something that is no file")
    blobs.push(answer.slice(begin, begin + size))
    at = begin + size + 1
  }
  return blobs
}

/** The full name of a commit, so that nothing that was typed is read as an option or as a path. */
async function commitOf(git: Git, revision: string): Promise<string> {
  if (!/^[A-Za-z0-9_][^\s:]*$/.test(revision)) throw wrongUse(`${revision} can't be a revision`)
  const commit = await git(
    ["rev-parse", "--verify", "--quiet", "--end-of-options", `${revision}^{commit}`],
    `there is no revision ${revision}`,
  )
  return commit.trim()
}

/** Of the policy folder and of its parent, which key files may stand in (`../keys/...`). Symbolic links are left out. */
async function listFiles(git: Git, commit: string, path: string): Promise<string[]> {
  const parent = posix.dirname(path)
  const listed = await git(["ls-tree", "-r", "-z", "--full-tree", commit], "the revision can't be read")
  const files = listed.split("\0").flatMap((line) => {
    const [about = "", name = ""] = line.split("\t")
    return /^100(644|755) blob /.test(about) && /^[^\n]*\.(yaml|yml|json)$/.test(name) ? [name] : []
  })
  const isBelow = (name: string, folder: string) => folder === "." || name.startsWith(`${folder}/`)
  const inside = files.filter((name) => isBelow(name, path))
  const beside = files.filter((name) => name.endsWith(".json") && isBelow(name, parent))
  const wanted = inside.length === 0 ? [] : [...new Set([...inside, ...beside])]
  if (wanted.length > MOST_FILES)
    throw cannotTell(`${path} has more than ${MOST_FILES} files in that revision`)
  return wanted
}

const run = promisify(execFile)

type Git = (args: readonly string[], otherwise: string, input?: string) => Promise<string>

/** Git's answer, byte for byte as latin1. Stop (could not tell) with our words where it has none. */
const gitIn =
  (cwd: string): Git =>
  async (args, otherwise, input = "") => {
    try {
      const running = run("git", [...args], {
        cwd,
        encoding: "latin1",
        maxBuffer: MOST_BYTES,
        windowsHide: true,
      })
      running.child.stdin?.on("error", () => undefined) // it may end without reading
      running.child.stdin?.end(input, "latin1")
      return (await running).stdout
    } catch (error) {
      const code = error instanceof Error && "code" in error ? error.code : undefined
      if (code === "ENOENT") throw cannotTell("git is not there", "Give two folders instead")
      throw cannotTell(`git: ${otherwise}`)
    }
  }
