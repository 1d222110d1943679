/* What the lab is measured against: plain loops over prices, one exit an entry.

   A long is opened at the close of bar `entry`, its peak starts there. Each later bar: the low
   against the stop of the bars before, then the high as a new peak. Once the peak has gained
   `activation` the stop lies `distance` below it; a bar that opens below it is left at its open. */

#include <stddef.h>
#include <stdint.h>

static int64_t leave(const double *open, const double *high, const double *low, int64_t from,
                     int64_t until, double entry, double activation, double distance,
                     double *price)
{
    double peak = entry, active_at = entry * (1 + activation), keep = 1 - distance;
    for (int64_t i = from; i <= until; i++) {
        if (peak >= active_at) {
            double stop = peak * keep;
            if (low[i] <= stop) {
                *price = open[i] < stop ? open[i] : stop;
                return i;
            }
        }
        if (high[i] > peak)
            peak = high[i];
    }
    return -1;
}

void scan_bars(const double *open, const double *high, const double *low, const double *close,
               const int64_t *entries, const int64_t *exits, int64_t count, double activation,
               double distance, int64_t *index, double *price)
{
    for (int64_t k = 0; k < count; k++) {
        int64_t entry = entries[k];
        int64_t left = leave(open, high, low, entry + 1, exits[k], close[entry], activation,
                             distance, &price[k]);
        index[k] = left < 0 ? exits[k] : left;
        if (left < 0)
            price[k] = close[exits[k]];
    }
}

void scan_grid(const double *open, const double *high, const double *low, const double *close,
               const int64_t *entries, const int64_t *exits, int64_t count,
               const double *activations, int64_t rows, const double *distances, int64_t columns,
               double *sums, int64_t *indexes)
{
    for (int64_t a = 0; a < rows; a++)
        for (int64_t d = 0; d < columns; d++) {
            double sum = 0;
            int64_t total = 0;
            for (int64_t k = 0; k < count; k++) {
                double price = 0, entry = close[entries[k]];
                int64_t left = leave(open, high, low, entries[k] + 1, exits[k], entry,
                                     activations[a], distances[d], &price);
                if (left < 0) {
                    left = exits[k];
                    price = close[left];
                }
                sum += price / entry - 1;
                total += left;
            }
            sums[a * columns + d] = sum;
            indexes[a * columns + d] = total;
        }
}

/* The same over single bids: a touch fires, at the bid itself. */
void scan_bids(const double *bid, const int64_t *entries, const int64_t *exits, int64_t count,
               double activation, double distance, int64_t *index)
{
    for (int64_t k = 0; k < count; k++) {
        double peak = bid[entries[k]], active_at = peak * (1 + activation), keep = 1 - distance;
        int64_t i = entries[k] + 1;
        for (; i < exits[k]; i++) {
            if (peak >= active_at && bid[i] <= peak * keep)
                break;
            if (bid[i] > peak)
                peak = bid[i];
        }
        index[k] = i;
    }
}
