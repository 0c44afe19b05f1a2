// The SQL of an auditor's copy, once: a file of its own, with what was hashed and signed and nothing else.

export const CREATE = `
CREATE TABLE IF NOT EXISTS copy_entry (seq INTEGER PRIMARY KEY, bytes BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS copy_checkpoint (size INTEGER PRIMARY KEY, hour INTEGER NOT NULL, note TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS copy_key (vkey TEXT PRIMARY KEY, place INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS copy_state (id INTEGER PRIMARY KEY CHECK (id = 1), origin TEXT NOT NULL,
  size INTEGER NOT NULL, frontier BLOB NOT NULL, signed INTEGER NOT NULL, signed_frontier BLOB NOT NULL,
  told INTEGER NOT NULL) STRICT;`

export const TABLES = "SELECT name FROM sqlite_schema WHERE type = 'table'"
export const BEGIN_COPY =
  "INSERT INTO copy_state (id, origin, size, frontier, signed, signed_frontier, told) VALUES (1, ?, 0, x'', 0, x'', 0)"
export const STATE =
  "SELECT origin, size, frontier, signed, signed_frontier AS signedFrontier, told FROM copy_state WHERE id = 1"
export const ADD_ENTRY = "INSERT INTO copy_entry (seq, bytes) VALUES (?, ?)"
export const GROW = "UPDATE copy_state SET size = ?, frontier = ? WHERE id = 1"
export const SIGNED = "UPDATE copy_state SET signed = size, signed_frontier = frontier WHERE id = 1"
export const DROP_UNSIGNED = "DELETE FROM copy_entry WHERE seq > (SELECT signed FROM copy_state)"
export const SHRINK = "UPDATE copy_state SET size = signed, frontier = signed_frontier WHERE id = 1"
export const TOLD = "UPDATE copy_state SET told = ? WHERE id = 1"
export const ENTRIES = "SELECT seq, bytes FROM copy_entry WHERE seq > ? AND seq <= ? ORDER BY seq"
/** Of each hour the newest stays, and those that more than one key signed. */
export const PRUNE_CHECKPOINTS =
  "DELETE FROM copy_checkpoint WHERE hour = ? AND size < ? AND note NOT LIKE '%\n\u2014 %\n\u2014 %'"
export const ADD_CHECKPOINT =
  "INSERT INTO copy_checkpoint (size, hour, note) VALUES (?, ?, ?) ON CONFLICT (size) DO NOTHING"
export const CHECKPOINTS = "SELECT note FROM copy_checkpoint ORDER BY size"
export const KEYS = "SELECT vkey FROM copy_key ORDER BY place DESC"
export const ADD_KEY =
  "INSERT INTO copy_key (vkey, place) SELECT ?, coalesce(max(place), 0) + 1 FROM copy_key WHERE true ON CONFLICT DO NOTHING"
