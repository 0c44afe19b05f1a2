// What every answer with a body says of itself: it is what its type says. A browser that guesses could take text of others in
// JSON, in CSV or in a log's tile for a page.

/** WHATWG Fetch, `X-Content-Type-Options`. */
export const INERT = { "x-content-type-options": "nosniff" } as const
