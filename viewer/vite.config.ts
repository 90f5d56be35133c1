import { defineConfig } from "vitest/config";

// One ES module with its style sheet inside, package data of xaiexp: a machine that uses it needs no Node.
export default defineConfig({
  build: {
    target: "es2023",
    outDir: "../xaiexp/report/static",
    emptyOutDir: false,
    lib: { entry: "src/main.ts", formats: ["es"], fileName: () => "viewer.js" },
    license: false,
    reportCompressedSize: false,
  },
  test: { environment: "jsdom", include: ["tests/**/*.test.ts"] },
});
