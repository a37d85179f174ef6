/// A convex cost with its foot at `center`: linear and quadratic terms on each side.
struct Bend: Sendable {
    /// Where it costs nothing, in seconds.
    var center: Double
    /// Cost per second, and per second squared, below the centre; ≥ 0.
    var below: (linear: Double, square: Double)
    /// Cost per second, and per second squared, above the centre; ≥ 0.
    var above: (linear: Double, square: Double)

    @inline(__always)
    func callAsFunction(_ seconds: Double) -> Double {
        let distance = seconds - center
        return distance < 0
            ? -distance * (below.linear - distance * below.square)
            : distance * (above.linear + distance * above.square)
    }

    @inline(__always)
    func at(cell: Int) -> Double { self(Chain.seconds(cell)) }
}

/// Something with a start and an end that follows the one before it. All times in cells of `Chain.cell` seconds.
struct Link: Sendable {
    /// The least distance from the end of the link before; may be negative.
    var gap: Int
    /// It starts no earlier.
    var earliest: Int
    /// It ends no later.
    var latestEnd: Int
    /// How long it may be; the lower bound is ≥ 0.
    var lengths: ClosedRange<Int>
    /// What a start, a length and an end cost.
    var start: Bend
    var length: Bend
    var end: Bend
    /// What a length costs beside that, outside a stretch where it is free.
    var strain: Strain?

    func cost(_ place: Place) -> Double {
        start.at(cell: place.start) + length(cells: place.end - place.start) + end.at(cell: place.end)
    }

    @inline(__always)
    func length(cells: Int) -> Double {
        length.at(cell: cells) + (strain?(Chain.seconds(cells)) ?? 0)
    }
}

/// A convex cost with a floor: nothing within `free`, linear outside.
struct Strain: Sendable {
    /// Where it costs nothing, in seconds.
    var free: ClosedRange<Double>
    /// Cost per second outside; ≥ 0.
    var slope: Double

    @inline(__always)
    func callAsFunction(_ seconds: Double) -> Double {
        slope * max(0, max(free.lowerBound - seconds, seconds - free.upperBound))
    }
}

/// Where a link came to lie, in cells.
struct Place: Hashable, Sendable {
    var start: Int
    var end: Int
}

/// Places links one after the other at the least total cost: exactly, on a grid of 10 ms.
///
/// Let F(y) be the least cost of all links so far when the last ends at y. With convex costs F stays convex, so the next
/// F is the infimal convolution of “cheapest start at x” with “cost of a length”, which is a merge of their
/// increments: linear in the cells of the windows. No search, no approximation.
enum Chain {
    /// Seconds a cell.
    static let cell = 0.01

    /// A number of cells in seconds, as near as a `Double` comes.
    @inline(__always)
    static func seconds(_ cells: Int) -> Double { Double(cells) / 100 }

    /// The first link that cannot keep to its `latestEnd` even if all are as short and as early as may be.
    static func firstBroken(_ links: [Link]) -> Int? {
        var free = Int.min / 2
        for (index, link) in links.enumerated() {
            let start = max(link.earliest, free + link.gap)
            free = start + link.lengths.lowerBound
            if free > link.latestEnd { return index }
        }
        return nil
    }

    /// - Parameter reach: how many cells after its earliest possible, or its wanted, start a link is looked for.
    /// - Returns: a place for every link; `nil` where `firstBroken` finds one.
    static func solve(_ links: [Link], reach: Int = 800) -> [Place]? {
        guard firstBroken(links) == nil else { return nil }
        let windows = windows(of: links, reach: reach)
        // For every link and every end: the start it was reached from, and the best end that is no later.
        var tables: [Table] = []
        tables.reserveCapacity(links.count)
        var best: [Double] = []
        var heads: [Double] = []
        var lengths: [Double] = []
        for (index, link) in links.enumerated() {
            let window = windows[index]
            heads.removeAll(keepingCapacity: true)
            for start in window.start...window.latestStart {
                var cost = link.start.at(cell: start)
                if index > 0 {
                    let before = min(start - link.gap - tables[index - 1].firstEnd, best.count - 1)
                    cost += best[before]
                }
                heads.append(cost)
            }
            lengths.removeAll(keepingCapacity: true)
            for length in link.lengths { lengths.append(link.length(cells: length)) }
            let table = merge(heads, lengths, link: link, window: window, into: &best)
            tables.append(table)
        }
        var places = [Place](repeating: Place(start: 0, end: 0), count: links.count)
        var limit = Int.max / 2
        for index in links.indices.reversed() {
            let table = tables[index]
            let end = min(limit - table.firstEnd, table.starts.count - 1)
            let chosen = Int(table.bestEnd[end])
            places[index] = Place(
                start: windows[index].start + Int(table.starts[chosen]), end: table.firstEnd + chosen)
            limit = places[index].start - links[index].gap
        }
        return places
    }

    private struct Window {
        var start: Int
        var latestStart: Int
        var latestEnd: Int
    }

    private struct Table {
        var firstEnd: Int
        /// By end: the start, counted from the window's.
        var starts: [Int32]
        /// By end: the cheapest end that is no later, counted from `firstEnd`.
        var bestEnd: [Int32]
    }

    /// Where starts need to be looked for.
    ///
    /// Above, a start is bounded by the placement that gives every link all it wants, one after the other: as long as
    /// starting later costs more than the slope of the other terms, some optimum lies at or below that placement.
    private static func windows(of links: [Link], reach: Int) -> [Window] {
        var windows: [Window] = []
        windows.reserveCapacity(links.count)
        var free = Int.min / 2
        var generous = Int.min / 2
        for link in links {
            let start = max(link.earliest, free + link.gap)
            free = start + link.lengths.lowerBound
            let wanted = Int((link.start.center / cell).rounded(.up))
            let late = max(start, wanted, generous + link.gap)
            let full = max(
                late + Int((link.length.center / cell).rounded(.up)),
                Int((link.end.center / cell).rounded(.up)))
            generous = min(max(full, late + link.lengths.lowerBound), late + link.lengths.upperBound)
            windows.append(
                Window(
                    start: start, latestStart: min(late, max(start, wanted) + reach),
                    latestEnd: link.latestEnd))
        }
        var bound = Int.max / 2
        for index in links.indices.reversed() {
            windows[index].latestEnd = min(links[index].latestEnd, bound)
            let latest = windows[index].latestEnd - links[index].lengths.lowerBound
            windows[index].latestStart = max(windows[index].start, min(windows[index].latestStart, latest))
            bound = latest - links[index].gap
        }
        return windows
    }

    private static func merge(
        _ heads: [Double], _ lengths: [Double], link: Link, window: Window, into best: inout [Double]
    ) -> Table {
        let firstEnd = window.start + link.lengths.lowerBound
        let count = min(heads.count + lengths.count - 1, window.latestEnd - firstEnd + 1)
        var starts = [Int32](repeating: 0, count: count)
        var bestEnd = [Int32](repeating: 0, count: count)
        best.removeAll(keepingCapacity: true)
        best.reserveCapacity(count)
        var (i, j) = (0, 0)
        var lowest = Double.infinity
        var lowestAt = 0
        for index in 0..<count {
            if index > 0 {
                if i + 1 == heads.count {
                    j += 1
                } else if j + 1 == lengths.count || heads[i + 1] - heads[i] < lengths[j + 1] - lengths[j] {
                    i += 1
                } else {
                    j += 1
                }
            }
            let cost = heads[i] + lengths[j] + link.end.at(cell: firstEnd + index)
            if cost < lowest {
                lowest = cost
                lowestAt = index
            }
            starts[index] = Int32(i)
            bestEnd[index] = Int32(lowestAt)
            best.append(lowest)
        }
        return Table(firstEnd: firstEnd, starts: starts, bestEnd: bestEnd)
    }
}
