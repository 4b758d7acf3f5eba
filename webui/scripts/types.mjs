// Generates src/api/types.ts from openapi.json (which `inframe openapi` prints): one interface per schema, with the API's own comments.
// `node scripts/types.mjs --check` fails instead of writing when the file is stale.
import { readFileSync, writeFileSync } from 'node:fs'

const source = new URL('../openapi.json', import.meta.url)
const target = new URL('../src/api/types.ts', import.meta.url)

function generate(document) {
  const schemas = document.components?.schemas ?? {}
  const parts = ['// Generated from openapi.json by `npm run types`; do not edit.\n']
  for (const name of Object.keys(schemas).sort()) parts.push(declaration(name, schemas[name]))
  return parts.join('\n')
}

function declaration(name, schema) {
  const head = comment(schema.description, '')
  if (schema.type !== 'object' || !schema.properties) return `${head}export type ${name} = ${typeOf(schema)}\n`
  const required = new Set(schema.required ?? [])
  const fields = Object.entries(schema.properties).map(([key, value]) => {
    const optional = required.has(key) ? '' : '?'
    return `${comment(value.description, '  ')}  ${quoted(key)}${optional}: ${typeOf(value)}\n`
  })
  return `${head}export interface ${name} {\n${fields.join('')}}\n`
}

function typeOf(schema) {
  if (schema.$ref) return schema.$ref.split('/').pop()
  const choices = schema.oneOf ?? schema.anyOf
  if (choices) return [...new Set(choices.map(typeOf))].join(' | ')
  if (schema.allOf) return schema.allOf.map(typeOf).join(' & ')
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(' | ')
  if (Array.isArray(schema.type)) return schema.type.map((type) => typeOf({ ...schema, type })).join(' | ')
  if (schema.type === 'array') return `Array<${typeOf(schema.items ?? {})}>`
  if (schema.type === 'integer' || schema.type === 'number') return 'number'
  if (schema.type === 'string' || schema.type === 'boolean' || schema.type === 'null') return schema.type
  if (schema.type === 'object') return `Record<string, ${typeOf(schema.additionalProperties || {})}>`
  return 'unknown'
}

function comment(text, indent) {
  if (!text) return ''
  return `${indent}/** ${text.trim().replaceAll('\n', `\n${indent} * `).replaceAll('*/', '* /')} */\n`
}

function quoted(key) {
  return /^[A-Za-z_]\w*$/.test(key) ? key : JSON.stringify(key)
}

const text = generate(JSON.parse(readFileSync(source, 'utf8')))
if (!process.argv.includes('--check')) writeFileSync(target, text)
else if (readFileSync(target, 'utf8') !== text) {
  console.error('src/api/types.ts is stale: run `npm run types`')
  process.exit(1)
}
