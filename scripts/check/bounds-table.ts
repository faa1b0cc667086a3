import ts from "typescript";

const BEGIN = "<!-- bounds: generated from internal/core/limits.ts by `npm run generate` -->";
const END = "<!-- /bounds -->";

/** The architecture document with its table of bounds as limits.ts has them now. Throws when the marks are missing. */
export function withBounds(document: string, limitsSource: string): string {
  const from = document.indexOf(BEGIN);
  const to = document.indexOf(END);
  if (from < 0 || to < from) throw new Error(`docs/ARCHITECTURE.md must have the lines ${BEGIN} and ${END}`);
  return `${document.slice(0, from)}${BEGIN}\n\n${boundsTable(limitsSource)}\n\n${document.slice(to)}`;
}

/** One row per bound: name, value, and the comment over it. Throws on a bound without a comment. */
function boundsTable(source: string): string {
  const file = ts.createSourceFile("limits.ts", source, ts.ScriptTarget.Latest, true);
  const rows: string[] = [];
  const visit = (node: ts.Node): void => {
    if (!ts.isPropertyAssignment(node)) {
      ts.forEachChild(node, visit);
      return;
    }
    const name = node.name.getText();
    const comment = ts.getTextOfJSDocComment(ts.getJSDocCommentsAndTags(node)[0]?.comment);
    if (comment === undefined) throw new Error(`limits.ts: ${name} has no comment of its own`);
    rows.push(`| \`${name}\` | ${amount(node.initializer)} | ${comment.replaceAll(/\s*\n\s*/g, " ")} |`);
  };
  visit(file);
  return ["| bound | value | what it is, and what happens there |", "|---|---|---|", ...rows].join("\n");
}

/** Evaluates what limits.ts writes its numbers with: literals, products and shifts. */
function amount(node: ts.Expression): string {
  return evaluate(node).toLocaleString("en-US");
}

function evaluate(node: ts.Expression): number {
  if (ts.isNumericLiteral(node)) return Number(node.text.replaceAll("_", ""));
  if (ts.isBinaryExpression(node)) {
    const [left, right] = [evaluate(node.left), evaluate(node.right)];
    if (node.operatorToken.kind === ts.SyntaxKind.AsteriskToken) return left * right;
    if (node.operatorToken.kind === ts.SyntaxKind.LessThanLessThanToken) return left << right;
  }
  throw new Error(`limits.ts: ${node.getText()} is not a literal, a product or a shift`);
}
