// binance (tiagosiebler) for Node: REST, streams, websocket API and the user stream that it subscribes there.
const { MainClient, WebsocketAPIClient, WebsocketClient } = require("binance");

const [rest, ws] = process.argv.slice(2);
const keys = { api_key: "alice-key", api_secret: "alice-secret" };
const symbol = "BTCUSDT";
const limit = { symbol, side: "BUY", type: "LIMIT", timeInForce: "GTC", quantity: 0.01, price: 50000 };
const PATIENCE_MS = 20_000;

async function step(name, act) {
  let told;
  try {
    const answer = await act();
    told = { step: name, ok: true, detail: String(JSON.stringify(answer)).slice(0, 200) };
  } catch (error) {
    const words = error.message || JSON.stringify(error.body || error);
    told = { step: name, ok: false, detail: String(words).slice(0, 500) };
  }
  console.log(JSON.stringify(told));
}

function expect(condition, what) {
  if (!condition) throw new Error(typeof what === "string" ? what : JSON.stringify(what));
  return condition;
}

// The first message that satisfies, from a client that emits them.
function heard(client, satisfies) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`nothing within ${PATIENCE_MS} ms`)), PATIENCE_MS);
    client.on("message", (message) => {
      if (satisfies(message)) {
        clearTimeout(timer);
        resolve(message);
      }
    });
  });
}

async function market() {
  const client = new MainClient({ ...keys, baseUrl: rest, beautifyResponses: true });
  await step("exchangeInfo", async () => expect((await client.getExchangeInfo()).symbols.length === 3000, "3000"));
  await step("depth", async () => expect((await client.getOrderBook({ symbol, limit: 10 })).bids.length, "bids"));
  await step("klines", async () => expect((await client.getKlines({ symbol, interval: "1m" })).length, "klines"));
  await step("aggregate trades", () => client.getAggregateTrades({ symbol }));
  await step("trading day", () => client.getTradingDayTicker({ symbol }));
  await step("rolling window", () => client.getRollingWindowTicker({ symbol, windowSize: "4h" }));
  await step("book ticker", () => client.getSymbolOrderBookTicker({ symbol }));
  await step("account", async () => expect((await client.getAccountInformation()).balances.length, "balances"));
  await step("test order", () => client.testNewOrder({ ...limit, computeCommissionRates: true }));
  await step("market order", async () => {
    const order = await client.submitNewOrder({ symbol, side: "BUY", type: "MARKET", quoteOrderQty: 500 });
    expect(order.status === "FILLED" && order.fills.length, order);
  });
  await step("order, cancelled", async () => {
    const { orderId } = await client.submitNewOrder({ ...limit });
    return client.cancelOrder({ symbol, orderId });
  });
  await step("replace", async () => {
    const { orderId } = await client.submitNewOrder({ ...limit });
    const replacing = { cancelReplaceMode: "STOP_ON_FAILURE", cancelOrderId: orderId, price: 49000 };
    const answer = await client.replaceOrder({ ...limit, ...replacing });
    return expect(answer.newOrderResult === "SUCCESS" && answer.newOrderResult, answer);
  });
  await step("cancel all", () => client.cancelAllSymbolOrders({ symbol }));
  await step("oto", async () => {
    const working = { workingType: "LIMIT", workingSide: "BUY", workingPrice: 50000, workingQuantity: 0.01 };
    const pending = { pendingType: "LIMIT", pendingSide: "SELL", pendingPrice: 70000, pendingQuantity: 0.01 };
    const terms = { workingTimeInForce: "GTC", pendingTimeInForce: "GTC" };
    const list = await client.submitNewOrderListOTO({ symbol, ...working, ...pending, ...terms });
    return client.cancelOCO({ symbol, orderListId: list.orderListId });
  });
  await step("my trades", async () => expect((await client.getAccountTradeList({ symbol })).length, "trades"));
  await step("a refusal in the exchange's words", async () => {
    const refused = await client.cancelOrder({ symbol, orderId: 999999 }).catch((error) => error);
    return expect(refused.code === -2011 && refused.message === "Unknown order sent.", refused);
  });
}

async function streams() {
  const client = new WebsocketClient({ wsUrl: ws, beautify: false });
  const wanted = { trade: "trade", "kline_1s": "kline", "depth@100ms": "depthUpdate", miniTicker: "24hrMiniTicker" };
  const messages = Object.values(wanted).map((kind) => heard(client, (m) => (m.data || m).e === kind));
  await client.subscribe(Object.keys(wanted).map((topic) => `btcusdt@${topic}`), "main");
  await step("combined streams", async () => (await Promise.all(messages)).map((m) => (m.data || m).e));
  client.closeAll(true);
}

async function api() {
  const client = new WebsocketAPIClient({ ...keys, wsUrl: ws, beautify: false, attachEventListeners: false });
  await step("websocket API", async () => expect((await client.getSpotExchangeInfo({ symbol })).status === 200, "200"));
  await step("user stream", async () => {
    const report = heard(client.getWSClient(), (m) => (m.event || m.data || m).e === "executionReport");
    await client.subscribeUserDataStream("mainWSAPI");
    const { result } = await client.submitNewSpotOrder({ ...limit, timestamp: Date.now() });
    await report;
    return client.cancelSpotOrder({ symbol, orderId: result.orderId, timestamp: Date.now() });
  });
  await step("amended", async () => {
    const { result } = await client.submitNewSpotOrder({ ...limit, timestamp: Date.now() });
    const lowered = { symbol, orderId: result.orderId, newQty: 0.005, timestamp: Date.now() };
    const { amendedOrder } = (await client.amendSpotOrderKeepPriority(lowered)).result;
    const renamed = amendedOrder.origClientOrderId === result.clientOrderId;
    expect(renamed && Number(amendedOrder.qty) === 0.005, amendedOrder);
    return client.cancelAllSpotOpenOrders({ symbol, timestamp: Date.now() });
  });
  await step("status", async () => (await client.getSpotAccountInformation({ timestamp: Date.now() })).status);
  await client.disconnectAll();
}

market().then(streams).then(api).then(() => process.exit(0));
