module iip/proof

go 1.19
