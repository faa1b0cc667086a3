import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import ts from "typescript";

type Declared = { node: ts.FunctionDeclaration; source: ts.SourceFile };

/**
 * Names of the tests of a contract suite in the order of its file, found by reading: the suite is a function, and its
 * tests are the calls of `test` and `it` in it and in the functions that it calls, also through a local function that
 * hands its first parameter on to `test` as the name. What a name is made of at run time is told as `…`. Throws on a
 * test that is skipped in the suite itself, as that gives no reason.
 * @returns undefined when the file has no such function
 */
export async function contractTests(path: string, suite: string): Promise<string[] | undefined> {
  const functions = await declaredIn(path);
  const start = functions.get(suite);
  if (!start) return undefined;
  const names: string[] = [];
  const seen = new Set<ts.Node>();
  const visitFunction = async ({ node, source }: Declared): Promise<void> => {
    if (seen.has(node)) return;
    seen.add(node);
    const known = source.fileName === path ? functions : await declaredIn(source.fileName);
    const texts = constantsIn(source);
    const wrappers = wrappersIn(source);
    const visit = async (child: ts.Node): Promise<void> => {
      if (ts.isCallExpression(child)) {
        const name = testName(child, wrappers, texts);
        if (name !== undefined) names.push(name);
        const called = ts.isIdentifier(child.expression) ? known.get(child.expression.text) : undefined;
        if (called) await visitFunction(called);
      }
      for (const next of childrenOf(child)) await visit(next);
    };
    if (node.body) await visit(node.body);
  };
  await visitFunction(start);
  return names;
}

/** What a file hands to a function: the constants among its arguments, with the module that each was imported from. */
export type SuiteCall = { name: string; from: string }[];

/** The calls of the suite in the file. */
export async function callsOf(path: string, suite: string): Promise<SuiteCall[]> {
  const source = await parse(path);
  const modules = importsOf(source);
  const calls: SuiteCall[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node) && ts.isIdentifier(node.expression) && node.expression.text === suite)
      calls.push(
        node.arguments.flatMap((argument) => {
          const isConstant = ts.isIdentifier(argument) && /^[A-Z][A-Z0-9_]*$/.test(argument.text);
          const from = isConstant ? modules.get(argument.text) : undefined;
          return from?.startsWith(".") ? [{ name: argument.getText(), from: join(dirname(path), from) }] : [];
        }),
      );
    for (const next of childrenOf(node)) visit(next);
  };
  visit(source);
  return calls;
}

/** Imported names and their modules. */
function importsOf(source: ts.SourceFile): Map<string, string> {
  const modules = new Map<string, string>();
  for (const statement of source.statements) {
    if (!ts.isImportDeclaration(statement) || !ts.isStringLiteral(statement.moduleSpecifier)) continue;
    const bindings = statement.importClause?.namedBindings;
    if (!bindings || !ts.isNamedImports(bindings)) continue;
    for (const { name } of bindings.elements) modules.set(name.text, statement.moduleSpecifier.text);
  }
  return modules;
}

/** The file's own functions and those that it imports from files beside it, by the name that they have in it. */
async function declaredIn(path: string): Promise<Map<string, Declared>> {
  const source = await parse(path);
  const found = new Map<string, Declared>();
  for (const [name, from] of importsOf(source)) {
    if (!from.startsWith("./")) continue;
    const other = await parse(join(dirname(path), from));
    for (const node of other.statements)
      if (ts.isFunctionDeclaration(node) && node.name?.text === name)
        found.set(name, { node, source: other });
  }
  for (const node of source.statements)
    if (ts.isFunctionDeclaration(node) && node.name) found.set(node.name.text, { node, source });
  return found;
}

/** Names that stand for a text in the file. */
function constantsIn(source: ts.SourceFile): Map<string, string> {
  const texts = new Map<string, string>();
  const visit = (node: ts.Node): void => {
    if (ts.isVariableDeclaration(node) && node.initializer && ts.isStringLiteralLike(node.initializer))
      texts.set(node.name.getText(), node.initializer.text);
    for (const next of childrenOf(node)) visit(next);
  };
  visit(source);
  return texts;
}

/** Local functions that make a test of the name that they are given. */
function wrappersIn(source: ts.SourceFile): Set<string> {
  const wrappers = new Set(["test", "it"]);
  const visit = (node: ts.Node): void => {
    if (ts.isVariableDeclaration(node) && node.initializer && ts.isArrowFunction(node.initializer)) {
      const title = node.initializer.parameters[0]?.name.getText();
      if (title !== undefined && hands(title, node.initializer.body)) wrappers.add(node.name.getText());
    }
    for (const next of childrenOf(node)) visit(next);
  };
  visit(source);
  return wrappers;
}

/** True when the code calls `test` or `it` with the parameter as the name. */
function hands(title: string, code: ts.Node): boolean {
  if (ts.isCallExpression(code) && /^(test|it)\b/.test(code.expression.getText()))
    if (code.arguments[0]?.getText() === title) return true;
  return childrenOf(code).some((child) => hands(title, child));
}

/** The name that the call gives a test; undefined when it is no such call. */
function testName(
  call: ts.CallExpression,
  wrappers: ReadonlySet<string>,
  texts: ReadonlyMap<string, string>,
): string | undefined {
  // it("…"), it.each(rows)("…"), it.skip("…")
  let callee: ts.Expression = call.expression;
  if (ts.isCallExpression(callee)) callee = callee.expression;
  const words = callee.getText().split(".");
  if (!wrappers.has(words[0]!)) return undefined;
  const name = call.arguments[0] && nameOf(call.arguments[0], texts);
  // Nothing but what is put in at run time: a wrapper's own call.
  if (name === undefined || !/\p{Letter}/u.test(name)) return undefined;
  if (words.some((word) => word === "skip" || word === "todo" || word.startsWith("skipIf")))
    throw new Error(`${call.getSourceFile().fileName}: ${JSON.stringify(name)} is skipped without a reason`);
  return name.replaceAll(/%[a-z]|\$[\w.]+/g, "…");
}

function nameOf(argument: ts.Expression, texts: ReadonlyMap<string, string>): string | undefined {
  if (ts.isStringLiteralLike(argument)) return argument.text;
  if (ts.isIdentifier(argument)) return texts.get(argument.text);
  if (!ts.isTemplateExpression(argument)) return undefined;
  return argument.head.text + argument.templateSpans.map(({ literal }) => `…${literal.text}`).join("");
}

function childrenOf(node: ts.Node): ts.Node[] {
  const children: ts.Node[] = [];
  ts.forEachChild(node, (child) => void children.push(child));
  return children;
}

async function parse(path: string): Promise<ts.SourceFile> {
  return ts.createSourceFile(path, await readFile(path, "utf8"), ts.ScriptTarget.Latest, true);
}
