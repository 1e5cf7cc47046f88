module smarttrade.io/cluster/node

go 1.25.0
