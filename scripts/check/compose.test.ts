import { cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { type TempFolder, tempFolder } from "../../test/kit/temp-folder.ts";
import { COMPOSE_PATH, composeProblems } from "./compose.ts";

const ROOT = new URL("../..", import.meta.url).pathname;

describe("docker-compose.yml", () => {
  test("is what the Compose Specification wants, and leads nowhere that is not there", async () => {
    expect(await composeProblems(ROOT)).toEqual([]);
  });

  test.each([
    ["an entry that Compose does not know", "    restart: on-failure", "    restrat: on-failure", "restrat"],
    ["a value of the wrong type", 'ports: ["127.0.0.1:6379:6379"]', "ports: 6379", "/services/redis/ports"],
    ["a service that is not there", "redis-1: { cond", "redis-7: { cond", "depends on redis-7"],
    ["a volume that nobody declares", '["redis:/data"]', '["radish:/data"]', "radish, which is no volume"],
    ["a file that is not there", "./deploy/nats/", "./deploy/gnats/", "./deploy/gnats/"],
    ["a profile of NATS that is not there", ":-survives-a-crash", ":-survives-all", "survives-all.conf"],
    [
      "a gateway that names no gRPC address",
      "BIMRIDE_GRPC_PUBLIC_ADDRESS",
      "BIMRIDE_GRPC_HOST",
      "50051, which is not",
    ],
    [
      "an edge that names another port",
      "URL: http://127.0.0.1:8080",
      "URL: http://edge:8080",
      "edge is reached at http://127.0.0.1:8080",
    ],
    [
      "a service that ends and that nobody waits for",
      "prepare: { condition: service_completed_successfully }",
      "prepare: { condition: service_started }",
      "prepare ends by itself",
    ],
    [
      "a spool that goes with its container",
      '["gateway:/data", "keys:/keys:ro"]',
      '["/data", "keys:/keys:ro"]',
      "gateway keeps its spool in no named volume",
    ],
    [
      "a spool of two gateways",
      'command: ["edge"]',
      'command: ["gateway"]\n    volumes: ["gateway:/data", "keys:/keys:ro"]',
      "edge has the spool of gateway",
    ],
    ["an image built from nowhere", "deploy/Dockerfile\n", "deploy/Containerfile\n", "built from"],
  ])("%s is named", async (_, right, wrong, told) => {
    await using folder = await tempFolder();
    await copyWith(folder, right, wrong);
    const problems = await composeProblems(folder.path);
    expect(problems.join("\n")).toContain(told);
  });
});

async function copyWith(folder: TempFolder, right: string, wrong: string): Promise<void> {
  const text = await readFile(`${ROOT}${COMPOSE_PATH}`, "utf8");
  expect(text).toContain(right);
  await mkdir(folder.file("deploy"));
  await cp(`${ROOT}deploy`, folder.file("deploy"), { recursive: true });
  await writeFile(folder.file(COMPOSE_PATH), text.replaceAll(right, wrong));
}
