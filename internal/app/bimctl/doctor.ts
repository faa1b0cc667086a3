import { access, statfs } from "node:fs/promises";
import { createServer } from "node:net";
import { delimiter, join } from "node:path";
import { loadSettings, type Settings } from "../../config/settings.ts";
import { EngineError } from "../../core/engine-error.ts";
import { DataFolderHeldError, openDataFolder } from "../data-folder.ts";
import { makeFolder } from "../make-folder.ts";
