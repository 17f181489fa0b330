// A Node-RED-style subscriber, in a persistent session that is left and taken
// up again: node nodered.js URL VERSION CA-FILE. Exit code 0: everything came.
const fs = require('fs')
const mqtt = require('mqtt')

const [url, version, ca] = process.argv.slice(2)
const root = 'nodered/' + Date.now() + '/' + process.pid
const login = { username: 'line', password: 'right-password', protocolVersion: Number(version), ca: fs.readFileSync(ca) }
const session = { ...login, clientId: root, clean: false, properties: { sessionExpiryInterval: 3600 } }

async function main () {
  const other = await mqtt.connectAsync(url, login)
  await other.publishAsync(root + '/kept', 'kept', { qos: 1, retain: true })

  let client = await mqtt.connectAsync(url, session)
  const got = []
  client.on('message', (topic, payload) => got.push(payload.toString()))
  await client.subscribeAsync(root + '/+', { qos: 2 })
  await until(() => got.length === 1)
  await other.publishAsync(root + '/x', 'one', { qos: 1 })
  await other.publishAsync(root + '/x', 'two', { qos: 2 })
  await until(() => got.length === 3)
  await client.endAsync()

  // MQTT keeps the order within a QoS only
  for (let n = 0; n < 20; n++) await other.publishAsync(root + '/x', 'away ' + n, { qos: n < 10 ? 1 : 2 })

  client = mqtt.connect(url, session) // its messages come before anybody subscribes
  client.on('message', (topic, payload) => got.push(payload.toString()))
  const present = await new Promise((resolve, reject) => { client.on('connect', c => resolve(c.sessionPresent)); client.on('error', reject) })
  await until(() => got.length === 23)
  await client.endAsync()
  await other.endAsync()
  const want = ['kept', 'one', 'two', ...Array.from({ length: 20 }, (_, n) => 'away ' + n)]
  if (!present || JSON.stringify(got) !== JSON.stringify(want)) throw new Error('session ' + present + ', got ' + got)
}

async function until (done) {
  for (const began = Date.now(); !done();) {
    if (Date.now() - began > 10000) throw new Error('waited in vain')
    await new Promise(resolve => setTimeout(resolve, 5))
  }
}

main().then(() => process.exit(0), err => { console.error(err); process.exit(1) })
