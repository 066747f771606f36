// Decorators without a compiler.

export function decorate(type, decorator) {
  decorator(type);
}

export function method({ prototype }, name, decorator) {
  decorator(prototype, name, Object.getOwnPropertyDescriptor(prototype, name));
}

export function decorateParameter({ prototype }, name, index, decorator) {
  decorator(prototype, name, index);
}
