// Objects that hold what others named: nothing is inherited, so that a name that was not given is undefined, whatever it is.

/**
 * Of values by name. An object without a prototype does the same, but V8 keeps it as a hash table, several times as large and
 * as slow as others are; the prototype of these is empty and stays so. Does NOT refuse any name: `__proto__` is one like others.
 */
export class Members<T> {
  [name: string]: T
}
Reflect.deleteProperty(Members.prototype, "constructor")
Object.setPrototypeOf(Members.prototype, null)
Object.freeze(Members.prototype)
