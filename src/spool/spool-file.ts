// The file of a spool before it is opened: made where there is none, and looked at where there is one. It decides whether a
// file may be a spool; what may still be evidence is never overwritten.
import { openFile } from "../database/file.ts"
import { KEEP, LEAVE_ALL, SPOOL } from "./statements.ts"

export const SHARE_ADVICE =
  ": the processes of one host share a spool when each of them opens it with spool: { path, shared: true }"

/**
 * Makes the tables of a new file, checks those of an old one, and keeps these settings. To be called while nobody else has
 * it. Throws when the file is not a spool, of another version, or damaged.
 */
export function prepareSpool(
  path: string,
  kept: readonly (readonly [key: string, value: string])[] = [],
): void {
  const file = openFile(path, { create: true })
  try {
    const id = file.pragma("application_id", { simple: true })
    const tables = file.prepare("SELECT count(*) FROM sqlite_schema").pluck().get()
    if (id !== SPOOL.applicationId && tables !== 0) throw new Error(`${path} is not a spool of a verifier`)
    if (tables !== 0 && file.pragma("user_version", { simple: true }) !== SPOOL.version)
      throw new Error(
        `the spool ${path} was made by another version of taskmint: let that version ship it, or move it aside and keep it`,
      )
    file.exec(SPOOL.schema)
    if (file.pragma("quick_check(1)", { simple: true }) !== "ok")
      throw new Error(
        `the spool ${path} is damaged; move it aside and keep it: it may hold uses not yet reported`,
      )
    file.exec(LEAVE_ALL)
    for (const setting of kept) file.prepare(KEEP).run(setting)
  } finally {
    file.close()
  }
}
