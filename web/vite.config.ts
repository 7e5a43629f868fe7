import adapter from '@sveltejs/adapter-static'
import type { Adapter } from '@sveltejs/kit'
import { sveltekit } from '@sveltejs/kit/vite'
import tailwindcss from '@tailwindcss/vite'
import { defineConfig } from 'vite'
import { finishBuild } from './finish-build.ts'

const site = adapter({ fallback: 'index.html' })

/** adapter-static, and then the response headers, which depend on the built page. */
const withHeaders: Adapter = {
  name: 'static-with-headers',
  async adapt(builder) {
    await site.adapt(builder)
    await finishBuild('build')
  },
}

export default defineConfig({
  plugins: [tailwindcss(), sveltekit({ adapter: withHeaders })],
  server: {
    proxy: {
      '/api': { target: process.env['HEADGATE_ORIGIN'] ?? 'http://127.0.0.1:8787', ws: true },
    },
  },
})
