// Answers questions about change sets: one on each line of stdin, its answer on the same line of stdout.

import { createInterface } from "node:readline";

import { answer } from "./answers.mjs";

for await (const line of createInterface({ input: process.stdin })) {
  try {
    process.stdout.write(`${JSON.stringify(answer(JSON.parse(line)))}\n`);
  } catch (error) {
    process.stderr.write(`CodeMirror failed at ${line}\n`);
    throw error;
  }
}
