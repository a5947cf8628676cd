// Installs the contestants, which weigh nothing on the project.
import { fileURLToPath } from "node:url";
import { install } from "../scripts/install.mjs";

install(fileURLToPath(new URL(".", import.meta.url)));
