/** The routing key of a binding to a topic exchange: words between dots, `*` for any one, `#` for any number. */
export class RoutingPattern {
  readonly hasWildcards: boolean;
  private readonly words: readonly string[];

  constructor(pattern: string) {
    this.words = wordsOf(pattern);
    this.hasWildcards = this.words.some((word) => word === '*' || word === '#');
  }

  matches(routingKey: string): boolean {
    return matchesFrom(this.words, 0, wordsOf(routingKey), 0);
  }
}

/** RabbitMQ takes the empty key for no word at all, and `a.` for two. */
function wordsOf(key: string): string[] {
  return key === '' ? [] : key.split('.');
}

function matchesFrom(pattern: readonly string[], p: number, words: readonly string[], w: number): boolean {
  if (p === pattern.length) return w === words.length;
  if (pattern[p] === '#') {
    for (let rest = w; rest <= words.length; rest++) {
      if (matchesFrom(pattern, p + 1, words, rest)) return true;
    }
    return false;
  }
  if (w === words.length) return false;
  return (pattern[p] === '*' || pattern[p] === words[w]) && matchesFrom(pattern, p + 1, words, w + 1);
}
