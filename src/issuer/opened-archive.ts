// The folder of archived entries, opened for an issuer, and the engine that reads from it. It decides that no issuer starts
// which could not say where entries of its ledger are.
import type { Engine } from "../database/database.ts"
import { type Folder, openFolder } from "../database/folder.ts"
import { objectionToFolder, withArchive } from "../ledger/archive-files.ts"

export interface OpenedArchive {
  readonly engine: Engine
  /** Undefined: what is archived stays in the database. */
  readonly folder: Folder | undefined
}

/**
 * Answers a text where entries rest in files and no folder is given. With a folder it starts also when files are gone: minting
 * needs none of them. Throws Unavailable where the folder is not there.
 */
export async function openArchive(engine: Engine, path: string | undefined): Promise<OpenedArchive | string> {
  if (path === undefined) return (await objectionToFolder(engine, undefined)) ?? { engine, folder: undefined }
  const folder = await openFolder(path)
  return { engine: withArchive(engine, folder), folder }
}
