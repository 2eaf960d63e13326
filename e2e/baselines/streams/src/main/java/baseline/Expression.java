package baseline;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * An expression of a feature contract (CEL: arithmetic, comparison, {@code ?:}, {@code double}, paths into {@code data}), compiled
 * once to closures. What is missing on the way is {@link Absent}.
 */
abstract class Expression {
    private static final Pattern TOKEN =
        Pattern.compile("\\s*(\"[^\"]*\"|\\d+(?:\\.\\d+)?|data(?:\\.\\w+|\\[\\d+\\])+|&&|\\|\\||[<>=!]=|\\w+|[^\\s\\w])");

    /** A value that is not there, or null. Without a trace, because it is no fault. */
    static final class Absent extends RuntimeException {
        private static final long serialVersionUID = 1;
        static final Absent IT = new Absent();

        private Absent() {
            super("absent", null, false, false);
        }
    }

    double number(JsonNode data) {
        throw new IllegalStateException("no number");
    }

    boolean truth(JsonNode data) {
        throw new IllegalStateException("no truth");
    }

    String text(JsonNode data) {
        throw new IllegalStateException("no text");
    }

    boolean isText() {
        return false;
    }

    boolean isTruth() {
        return false;
    }

    static Expression compile(String source) {
        List<String> tokens = new ArrayList<>();
        Matcher matcher = TOKEN.matcher(source);
        while (matcher.find()) {
            tokens.add(matcher.group(1));
        }
        Parser parser = new Parser(tokens);
        Expression made = parser.ternary();
        if (parser.at < tokens.size()) {
            throw new IllegalArgumentException("not understood from " + tokens.get(parser.at) + ": " + source);
        }
        return made;
    }

    /** The value at a path whose steps are names and numbers. */
    static JsonNode at(JsonNode data, Object[] steps) {
        JsonNode node = data;
        for (Object step : steps) {
            node = step instanceof String name ? node.get(name) : node.get((Integer) step);
            if (node == null) {
                throw Absent.IT;
            }
        }
        if (node.isNull()) {
            throw Absent.IT;
        }
        return node;
    }

    /** The steps of a JSON pointer, or of a path with dots and brackets. */
    static Object[] steps(String path) {
        List<Object> steps = new ArrayList<>();
        for (String step : path.split("[/.\\[\\]]+")) {
            if (!step.isEmpty()) {
                steps.add(step.chars().allMatch(Character::isDigit) ? (Object) Integer.valueOf(step) : step);
            }
        }
        return steps.toArray();
    }

    private interface Number {
        double of(JsonNode data);
    }

    private interface Truth {
        boolean of(JsonNode data);
    }

    private interface Text {
        String of(JsonNode data);
    }

    private static Expression number(Number value) {
        return new Expression() {
            @Override
            double number(JsonNode data) {
                return value.of(data);
            }
        };
    }

    private static Expression truth(Truth value) {
        return new Expression() {
            @Override
            boolean truth(JsonNode data) {
                return value.of(data);
            }

            @Override
            boolean isTruth() {
                return true;
            }
        };
    }

    private static Expression text(Text value) {
        return new Expression() {
            @Override
            String text(JsonNode data) {
                return value.of(data);
            }

            @Override
            boolean isText() {
                return true;
            }
        };
    }

    private static Expression path(String token) {
        Object[] steps = steps(token.substring(4));
        return new Expression() {
            @Override
            double number(JsonNode data) {
                return at(data, steps).doubleValue();
            }

            @Override
            String text(JsonNode data) {
                return at(data, steps).textValue();
            }

            @Override
            boolean truth(JsonNode data) {
                return at(data, steps).booleanValue();
            }
        };
    }

    private static final class Parser {
        private final List<String> tokens;
        private int at;

        Parser(List<String> tokens) {
            this.tokens = tokens;
        }

        private boolean takes(String token) {
            boolean is = at < tokens.size() && tokens.get(at).equals(token);
            at += is ? 1 : 0;
            return is;
        }

        private void expect(String token) {
            if (!takes(token)) {
                throw new IllegalArgumentException("a " + token + " is missing");
            }
        }

        Expression ternary() {
            Expression condition = either();
            if (!takes("?")) {
                return condition;
            }
            Expression then = ternary();
            expect(":");
            Expression otherwise = ternary();
            if (then.isText() || otherwise.isText()) {
                return Expression.text(data -> condition.truth(data) ? then.text(data) : otherwise.text(data));
            }
            return Expression.number(data -> condition.truth(data) ? then.number(data) : otherwise.number(data));
        }

        private Expression either() {
            Expression left = both();
            while (takes("||")) {
                Expression one = left;
                Expression other = both();
                left = Expression.truth(data -> one.truth(data) || other.truth(data));
            }
            return left;
        }

        private Expression both() {
            Expression left = comparison();
            while (takes("&&")) {
                Expression one = left;
                Expression other = comparison();
                left = Expression.truth(data -> one.truth(data) && other.truth(data));
            }
            return left;
        }

        private Expression comparison() {
            Expression one = sum();
            for (String sign : List.of("==", "!=", "<=", ">=", "<", ">")) {
                if (takes(sign)) {
                    Expression other = sum();
                    boolean text = one.isText() || other.isText();
                    return switch (sign) {
                        case "==" -> Expression.truth(text
                            ? data -> one.text(data).equals(other.text(data)) : data -> one.number(data) == other.number(data));
                        case "!=" -> Expression.truth(text
                            ? data -> !one.text(data).equals(other.text(data)) : data -> one.number(data) != other.number(data));
                        case "<=" -> Expression.truth(data -> one.number(data) <= other.number(data));
                        case ">=" -> Expression.truth(data -> one.number(data) >= other.number(data));
                        case "<" -> Expression.truth(data -> one.number(data) < other.number(data));
                        default -> Expression.truth(data -> one.number(data) > other.number(data));
                    };
                }
            }
            return one;
        }

        private Expression sum() {
            Expression left = product();
            while (true) {
                Expression one = left;
                if (takes("+")) {
                    Expression other = product();
                    left = one.isText() || other.isText()
                        ? Expression.text(data -> one.text(data) + other.text(data))
                        : Expression.number(data -> one.number(data) + other.number(data));
                } else if (takes("-")) {
                    Expression other = product();
                    left = Expression.number(data -> one.number(data) - other.number(data));
                } else {
                    return left;
                }
            }
        }

        private Expression product() {
            Expression left = single();
            while (true) {
                Expression one = left;
                if (takes("*")) {
                    Expression other = single();
                    left = Expression.number(data -> one.number(data) * other.number(data));
                } else if (takes("/")) {
                    Expression other = single();
                    left = Expression.number(data -> one.number(data) / other.number(data));
                } else {
                    return left;
                }
            }
        }

        private Expression single() {
            if (takes("-")) {
                Expression value = single();
                return Expression.number(data -> -value.number(data));
            }
            if (takes("double")) {
                return single();
            }
            if (takes("(")) {
                Expression inner = ternary();
                expect(")");
                return inner;
            }
            String token = at < tokens.size() ? tokens.get(at++) : "";
            if (token.startsWith("data")) {
                return path(token);
            }
            if (token.startsWith("\"")) {
                String word = token.substring(1, token.length() - 1);
                return Expression.text(data -> word);
            }
            if (!token.isEmpty() && Character.isDigit(token.charAt(0))) {
                double value = Double.parseDouble(token);
                return Expression.number(data -> value);
            }
            throw new IllegalArgumentException("not understood: " + token);
        }
    }
}
