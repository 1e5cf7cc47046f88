// go-binance (adshao): REST, streams, the user stream by signature and orders by the websocket API.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/adshao/go-binance/v2"
)

const (
	key, secret = "alice-key", "alice-secret"
	btc         = "BTCUSDT"
	patience    = 20 * time.Second
)

func step(name string, act func() (any, error)) {
	answer, err := act()
	said := map[string]any{"step": name, "ok": err == nil, "detail": fmt.Sprintf("%.200s", fmt.Sprint(answer))}
	if err != nil {
		said["detail"] = err.Error()
	}
	line, _ := json.Marshal(said)
	fmt.Println(string(line))
}

func main() {
	rest, ws := os.Args[1], os.Args[2]
	binance.BaseAPIMainURL = rest
	binance.BaseWsMainURL, binance.BaseCombinedMainURL = ws+"/ws", ws+"/stream?streams="
	binance.BaseWsApiMainURL = ws + "/ws-api/v3"
	client, ctx := binance.NewClient(key, secret), context.Background()
	low, high := "50000", "70000"

	step("time", func() (any, error) { return client.NewSetServerTimeService().Do(ctx) })
	step("exchangeInfo", func() (any, error) {
		info, err := client.NewExchangeInfoService().Do(ctx)
		if err == nil && (len(info.Symbols) != 3000 || info.Symbols[0].LotSizeFilter() == nil) {
			err = fmt.Errorf("%d symbols", len(info.Symbols))
		}
		return nil, err
	})
	step("depth", func() (any, error) { return client.NewDepthService().Symbol(btc).Limit(5).Do(ctx) })
	step("klines", func() (any, error) { return client.NewKlinesService().Symbol(btc).Interval("1m").Do(ctx) })
	step("24 h ticker", func() (any, error) { return client.NewListPriceChangeStatsService().Do(ctx) })
	step("book ticker", func() (any, error) { return client.NewListBookTickersService().Symbol(btc).Do(ctx) })
	step("average price", func() (any, error) { return client.NewAveragePriceService().Symbol(btc).Do(ctx) })
	step("rolling window", func() (any, error) {
		return client.NewListSymbolTickerService().Symbols([]string{btc, "ETHUSDT"}).WindowSize("1h").Do(ctx)
	})
	step("account", func() (any, error) { return client.NewGetAccountService().Do(ctx) })
	step("commission", func() (any, error) { return client.NewGetCommissionRatesService().Symbol(btc).Do(ctx) })
	step("market order by quote", func() (any, error) {
		order, err := market(client, ctx)
		if err == nil && (order.Status != binance.OrderStatusTypeFilled || len(order.Fills) == 0) {
			err = fmt.Errorf("%+v", order)
		}
		return nil, err
	})
	step("cancelReplace", func() (any, error) {
		order, err := limit(client, ctx, low)
		if err != nil {
			return nil, err
		}
		return client.NewCancelReplaceOrderService().Symbol(btc).Side(binance.SideTypeBuy).
			Type(binance.OrderTypeLimit).CancelReplaceMode(binance.CancelReplaceModeStopOnFailure).
			TimeInForce(binance.TimeInForceTypeGTC).Quantity("0.02").Price(low).CancelOrderID(order.OrderID).Do(ctx)
	})
	step("open orders", func() (any, error) { return client.NewListOpenOrdersService().Symbol(btc).Do(ctx) })
	step("cancel all", func() (any, error) { return client.NewCancelOpenOrdersService().Symbol(btc).Do(ctx) })
	step("an unknown order is refused in the exchange's words", func() (any, error) {
		_, err := client.NewCancelOrderService().Symbol(btc).OrderID(999999).Do(ctx)
		if err == nil || !strings.Contains(err.Error(), "code=-2011, msg=Unknown order sent.") {
			return nil, fmt.Errorf("got %v", err)
		}
		return nil, nil
	})
	step("oco", func() (any, error) {
		return client.NewCreateOCOService().Symbol(btc).Side(binance.SideTypeSell).Quantity("0.01").Price(high).
			StopPrice(low).StopLimitPrice("49000").StopLimitTimeInForce(binance.TimeInForceTypeGTC).Do(ctx)
	})
	step("open lists", func() (any, error) { return client.NewListOpenOcoService().Do(ctx) })
	step("cancel list", func() (any, error) { return client.NewCancelOpenOrdersService().Symbol(btc).Do(ctx) })
	step("my trades", func() (any, error) {
		trades, err := client.NewListTradesService().Symbol(btc).Do(ctx)
		if err == nil && len(trades) == 0 {
			err = errors.New("no trades")
		}
		return nil, err
	})
	step("order rate limit", func() (any, error) { return client.NewRateLimitService().Do(ctx) })
	step("wallet", func() (any, error) { return client.NewTradeFeeService().Symbol(btc).Do(ctx) })
	streams()
	step("user stream", func() (any, error) { return user(client, ctx, low) })
	step("websocket API", func() (any, error) { return websocketOrder(low) })
}

func market(client *binance.Client, ctx context.Context) (*binance.CreateOrderResponse, error) {
	return client.NewCreateOrderService().Symbol(btc).Side(binance.SideTypeBuy).Type(binance.OrderTypeMarket).
		QuoteOrderQty("500").NewOrderRespType(binance.NewOrderRespTypeFULL).Do(ctx)
}

func limit(client *binance.Client, ctx context.Context, price string) (*binance.CreateOrderResponse, error) {
	return client.NewCreateOrderService().Symbol(btc).Side(binance.SideTypeBuy).Type(binance.OrderTypeLimit).
		TimeInForce(binance.TimeInForceTypeGTC).Quantity("0.01").Price(price).Do(ctx)
}

// Each kind of stream until its first message.
func streams() {
	heard := make(chan string, 1000)
	note := func(kind string) {
		select {
		case heard <- kind:
		default:
		}
	}
	failed := func(err error) { note("error: " + err.Error()) }
	open := map[string]func() (chan struct{}, chan struct{}, error){
		"trade": func() (chan struct{}, chan struct{}, error) {
			return binance.WsTradeServe(btc, func(e *binance.WsTradeEvent) { note(e.Event) }, failed)
		},
		"kline": func() (chan struct{}, chan struct{}, error) {
			return binance.WsKlineServe(btc, "1s", func(e *binance.WsKlineEvent) { note(e.Event) }, failed)
		},
		"depthUpdate": func() (chan struct{}, chan struct{}, error) {
			return binance.WsDepthServe100Ms(btc, func(e *binance.WsDepthEvent) { note(e.Event) }, failed)
		},
		"partial": func() (chan struct{}, chan struct{}, error) {
			return binance.WsPartialDepthServe100Ms(btc, "5", func(e *binance.WsPartialDepthEvent) {
				if len(e.Bids) > 0 {
					note("partial")
				}
			}, failed)
		},
		"aggTrade": func() (chan struct{}, chan struct{}, error) {
			both := []string{btc, "ETHUSDT"}
			return binance.WsCombinedAggTradeServe(both, func(e *binance.WsAggTradeEvent) { note(e.Event) }, failed)
		},
		"24hrMiniTicker": func() (chan struct{}, chan struct{}, error) {
			return binance.WsAllMiniMarketsStatServe(func(all binance.WsAllMiniMarketsStatEvent) { note(all[0].Event) }, failed)
		},
		"book": func() (chan struct{}, chan struct{}, error) {
			return binance.WsCombinedBookTickerServe([]string{btc}, func(e *binance.WsBookTickerEvent) {
				if e.BestBidPrice != "" {
					note("book")
				}
			}, failed)
		},
	}
	for kind, begin := range open {
		step("stream "+kind, func() (any, error) {
			_, stop, err := begin()
			if err != nil {
				return nil, err
			}
			defer close(stop)
			return kind, until(heard, kind)
		})
	}
}

func until(heard <-chan string, wanted string) error {
	end := time.After(patience)
	for {
		select {
		case kind := <-heard:
			if kind == wanted {
				return nil
			}
		case <-end:
			return fmt.Errorf("no %s within %s", wanted, patience)
		}
	}
}

func user(client *binance.Client, ctx context.Context, price string) (any, error) {
	heard := make(chan string, 1000)
	failed := func(err error) { heard <- "error: " + err.Error() }
	_, stop, err := binance.WsUserDataServeSignature(key, secret, "HMAC", client.TimeOffset,
		func(e *binance.WsUserDataEvent) { heard <- string(e.Event) }, failed)
	if err != nil {
		return nil, err
	}
	defer close(stop)
	order, err := limit(client, ctx, price)
	if err != nil {
		return nil, err
	}
	if err := until(heard, "executionReport"); err != nil {
		return nil, err
	}
	return client.NewCancelOrderService().Symbol(btc).OrderID(order.OrderID).Do(ctx)
}

func websocketOrder(price string) (any, error) {
	service, err := binance.NewOrderCreateWsService(key, secret)
	if err != nil {
		return nil, err
	}
	request := binance.NewOrderCreateWsRequest().Symbol(btc).Side(binance.SideTypeBuy).Type(binance.OrderTypeLimit).
		TimeInForce(binance.TimeInForceTypeGTC).Quantity("0.01").Price(price)
	answer, err := service.SyncDo("placed-by-go", request)
	if err == nil && (answer.Status != 200 || answer.Result.OrderID == 0) {
		err = fmt.Errorf("%+v", answer)
	}
	return nil, err
}
