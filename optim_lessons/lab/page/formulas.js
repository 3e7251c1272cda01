// The one place where text becomes a program: a landscape and a rule, as lab/tape/javascript.py prints them.
export function compile(ground, rule) {
  return new Function(`"use strict";\n${ground}\n${rule}\nreturn { set, height, walk, table, shared, end };`)();
}
