// What an operation touches: a path of segments. Binding inputs into templates and matching a request are decided here,
// segment by segment; joined strings are never parsed again once they are segments.

/** A bound pattern: literal segments, `*` for any one, a last `**` for one or more. Literals are never `*`. */
export type Resource = readonly string[]

/** As a policy writes it: literals, `*`, a last `**`, or the name of an input. */
export type TemplateSegment = { readonly literal: string } | { readonly input: string } | "*" | "**"
export type ResourceTemplate = readonly TemplateSegment[]
